import numpy as np
import pytest

from kerasad.report.examples import Example, make_groups, overlap


def example(name, label, score, is_anomalous, iou=None, needs_review=False):
    blank = np.zeros((4, 4, 3), "float32")
    return Example(
        name=name,
        defect="scratch" if label else "good",
        label=label,
        score=score,
        p_value=0.5,
        is_anomalous=is_anomalous,
        needs_review=needs_review,
        iou=iou,
        image=blank,
        reconstruction=blank,
        anomaly_map=blank[..., :1],
        mask=None,
    )


def fill(examples, size=2, review=False):
    groups = make_groups(size, review)
    for each in examples:
        for group in groups:
            group.offer(each)
    return {group.title: group for group in groups}


def names(group):
    return [each.name for each in group.examples]


def test_errors_are_ranked_worst_first_and_only_the_first_are_kept():
    groups = fill(
        [
            example("a", 0, 3.0, True),
            example("b", 0, 9.0, True),
            example("c", 0, 5.0, True),
            example("d", 1, 0.7, False),
            example("e", 1, 0.2, False),
        ]
    )
    assert names(groups["False alarms"]) == ["b", "c"]
    assert groups["False alarms"].total == 3
    assert names(groups["Misses"]) == ["e", "d"]


def test_what_went_well_is_ranked_best_first():
    groups = fill(
        [
            example("low", 1, 5.0, True, iou=0.1),
            example("high", 1, 4.0, True, iou=0.8),
            example("middle", 1, 9.0, True, iou=0.6),
            example("quiet", 0, 0.1, False),
            example("less quiet", 0, 0.4, False),
        ]
    )
    assert names(groups["Best found"]) == ["high", "middle"]
    assert names(groups["Found, worst outlined"]) == ["low"]
    assert names(groups["Quietest good images"]) == ["quiet", "less quiet"]
    assert names(groups["Misses"]) == []


def test_what_is_to_be_looked_at_is_neither_an_alarm_nor_a_miss():
    examples = [
        example("good", 0, 3.0, False, needs_review=True),
        example("scratch", 1, 4.0, False, needs_review=True),
        example("missed", 1, 1.0, False),
    ]
    groups = fill(examples, review=True)
    assert names(groups["To be reviewed"]) == ["scratch", "good"]
    assert names(groups["Misses"]) == ["missed"]
    assert not names(groups["False alarms"]) + names(groups["Quietest good images"])
    assert "To be reviewed" not in fill(examples)


def test_a_defect_without_mask_has_no_place_among_the_localized():
    groups = fill([example("no mask", 1, 5.0, True)])
    assert all(not names(group) for group in groups.values())


def test_overlap_by_hand():
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    region = np.array([[0, 1, 1], [0, 0, 0]], bool)
    assert overlap(mask, region) == pytest.approx(1 / 4)
    assert overlap(mask, ~mask) == 0.0
    assert overlap(np.zeros(3, bool), np.zeros(3, bool)) == 1.0
