import numpy as np
import pytest

from kerasad.report.collect import Example, collect, make_groups, overlap
from kerasad.report.latents import VectorReader


def run(detector, category):
    readers = {"own": VectorReader(detector.model)}
    return collect(detector, category.test, category.index.test, readers)


@pytest.fixture
def collected(detector, category):
    return run(detector, category)


def count_pixels(collected):
    counts = collected.pixels.counts()
    return np.sum(counts.normal), np.sum(counts.anomalous)


def shown(collected, title):
    return {group.title: group for group in collected.groups}[title].examples


def test_one_pass_keeps_scores_decisions_and_examples(collected):
    np.testing.assert_array_equal(collected.labels, [0, 0, 1, 1, 1, 0])
    np.testing.assert_array_equal(collected.decisions, [0, 0, 1, 0, 1, 0])
    assert [each.name for each in shown(collected, "Misses")] == ["test/cut/001.png"]
    assert [each.name for each in shown(collected, "Best found")] == ["test/cut/000.png"]
    assert shown(collected, "Best found")[0].iou == pytest.approx(1.0)
    assert collected.vectors["own"].shape == (6, 3)
    kinds = ["test good", "test good", "cut", "cut", "stain", "test good"]
    assert collected.vector_groups == kinds


def test_a_defect_without_mask_counts_for_no_pixel(collected):
    normal, anomalous = count_pixels(collected)
    # five images of 32 x 48 with a mask; two of them have a patch of 8 x 14
    assert anomalous == 2 * 8 * 14
    assert normal == 5 * 32 * 48 - 2 * 8 * 14


def test_padding_is_cut_off_the_examples_and_counts_nowhere(detector, category):
    images, targets = category.test[0]
    valid = np.ones((*images.shape[:3], 1), "float32")
    valid[:, 24:] = 0.0
    valid[:, :, 40:] = 0.0
    category.test = [({"images": images, "valid": valid}, targets)]
    collected = run(detector, category)

    example = shown(collected, "Best found")[0]
    assert example.image.shape == (24, 40, 3)
    assert example.anomaly_map.shape == (24, 40, 1)
    assert example.mask.shape == (24, 40)
    assert sum(count_pixels(collected)) == 3 * 24 * 40


def test_examples_do_not_keep_their_batch_alive(collected):
    examples = [each for group in collected.groups for each in group.examples]
    assert examples
    assert all(each.image.base is None and each.anomaly_map.base is None for each in examples)


def test_a_model_without_reconstruction_leaves_it_out(make_detector, category):
    collected = run(make_detector(reconstructs=False), category)
    assert shown(collected, "Misses")[0].reconstruction is None


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
