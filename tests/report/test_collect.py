import numpy as np
import pytest

from kerasad.report.collect import collect
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
