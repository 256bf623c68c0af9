import numpy as np
import pytest

from kerasad.errors import InputError
from kerasad.runs.smoothing import RunningMedian


def smooth(scores, length):
    median = RunningMedian(length)
    return [median.add(score) for score in scores]


def test_the_median_of_the_last_scores_by_hand():
    assert smooth([5, 1, 3, 2, 9, 9, 9], 3) == [5, 1, 3, 2, 3, 9, 9]
    # Of an even number the smaller one in the middle: a tie is no majority.
    assert smooth([1, 9, 9, 1], 2) == [1, 1, 9, 1]
    assert smooth([4, 2, 8], 1) == [4, 2, 8]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7])
def test_it_is_above_a_threshold_if_and_only_if_a_majority_is(length):
    scores = np.random.default_rng(0).normal(size=200)
    for place, median in enumerate(smooth(scores, length)):
        last = scores[max(0, place + 1 - length) : place + 1]
        assert (median > 0.5) == (np.sum(last > 0.5) > len(last) / 2)


def test_a_frame_alone_is_outvoted_and_a_defect_is_called_half_a_window_late():
    flash = np.zeros(20)
    flash[10] = 9
    assert max(smooth(flash, 3)) == 0
    stays = np.where(np.arange(20) >= 10, 9, 0)
    assert int(np.argmax(np.array(smooth(stays, 5)) > 0)) == 10 + 5 // 2


def test_dependence_at_its_worst_stays_below_twice_the_rate():
    # 11 of 21 frames above in each round: the fewest that win every vote within a run of them.
    scores = np.tile([1.0] * 11 + [0.0] * 210, 50)
    found = np.mean(np.array(smooth(scores, 21)) > 0.5)
    assert found < 2 * scores.mean()


def test_a_window_of_no_frame_is_refused():
    with pytest.raises(InputError, match="smooth"):
        RunningMedian(0)
