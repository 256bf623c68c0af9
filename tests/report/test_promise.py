import numpy as np
import pytest

from kerasad.detector.conformal import conformal_rule
from kerasad.report.promise import (
    Counts,
    compare_with_promise,
    describe_counts,
    describe_promise,
    rate_intervals,
    rate_to_ask_for,
)

RATE = {"requested": 0.05, "expected": 2 / 42, "guaranteed": 2 / 42, "interval_95": [0.006, 0.129]}


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (
            Counts(20, 1, 0, 63, 63, 0),
            "All 63 defective images were found. 1 of 20 good images raises a false alarm.",
        ),
        (
            Counts(20, 0, 2, 9, 6, 1),
            "6 of 9 defective images were found, 2 were missed. None of 20 "
            "good images raises a false alarm. 3 are to be reviewed.",
        ),
        (Counts(3, 2, 0, 0, 0, 0), "2 of 3 good images raise a false alarm."),
    ],
)
def test_the_verdict_is_a_sentence(counts, text):
    assert describe_counts(counts) == text


def test_more_false_alarms_than_promised_are_told():
    # By hand: 2 of 41 scores; each of 20 good images a false alarm is out of the question.
    text, agrees = compare_with_promise(Counts(20, 20, 0, 0, 0, 0), RATE, 41)
    assert not agrees
    assert "more than expected" in text
    text, agrees = compare_with_promise(Counts(20, 2, 0, 0, 0, 0), RATE, 41)
    assert agrees
    assert "10.0 %" in text
    assert "agrees with the promise" in text


def test_without_good_images_or_a_rate_nothing_is_compared():
    assert compare_with_promise(Counts(0, 0, 0, 3, 3, 0), RATE, 41) is None
    nothing = RATE | {"expected": None, "guaranteed": None, "interval_95": None}
    assert compare_with_promise(Counts(5, 0, 0, 3, 3, 0), nothing, 41) is None
    assert "promises no" in describe_promise(nothing)


def test_an_expectation_is_not_called_a_promise():
    assert "at most 4.8 %" in describe_promise(RATE)
    text = describe_promise(RATE | {"guaranteed": None})
    assert "not a guarantee" in text
    assert "at most" not in text


@pytest.mark.parametrize("count", [1, 20, 41, 4096])
def test_intervals_and_rates_of_each_rank_are_those_of_the_calibration(count):
    scores = np.arange(count, 0, -1.0)
    intervals = rate_intervals(count)
    assert intervals.shape == (count + 1, 2)
    for rank in {1, max(1, count // 20), count}:
        rule = conformal_rule(scores, rate_to_ask_for(rank, count))
        assert rule.threshold == scores[rank - 1]
        assert intervals[rank - 1] == pytest.approx(rule.interval_95)
