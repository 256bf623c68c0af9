import numpy as np
import pytest

from kerasad.report.collect import collect, make_latent_reader


def run(detector, category):
    records, read_latents = category.index.test, make_latent_reader(detector.model)
    return collect(detector, category.test, records, read_latents)


def test_one_pass_keeps_scores_decisions_and_examples(detector, category):
    collected = collect(
        detector, category.test, category.index.test, make_latent_reader(detector.model)
    )

    np.testing.assert_array_equal(collected.labels, [0, 0, 1, 1, 1, 0])
    np.testing.assert_array_equal(collected.decisions, [0, 0, 1, 0, 1, 0])
    groups = {group.title: group for group in collected.groups}
    assert [each.name for each in groups["Misses"].examples] == ["test/cut/001.png"]
    assert [each.name for each in groups["Best found"].examples] == ["test/cut/000.png"]
    assert groups["Best found"].examples[0].iou == pytest.approx(1.0)
    assert collected.latents.shape == (6, 3)
    assert collected.latent_groups == ["test good", "test good", "cut", "cut", "stain", "test good"]


def test_a_defect_without_mask_counts_for_no_pixel(detector, category):
    collected = collect(
        detector, category.test, category.index.test, make_latent_reader(detector.model)
    )

    counts = collected.pixels.counts()
    normal, anomalous = np.sum(counts.normal), np.sum(counts.anomalous)
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

    shown = {group.title: group for group in collected.groups}["Best found"].examples[0]
    assert shown.image.shape == (24, 40, 3)
    assert shown.anomaly_map.shape == shown.mask.shape == (24, 40)
    counts = collected.pixels.counts()
    normal, anomalous = np.sum(counts.normal), np.sum(counts.anomalous)
    assert normal + anomalous == 3 * 24 * 40


def test_examples_do_not_keep_their_batch_alive(detector, category):
    collected = collect(
        detector, category.test, category.index.test, make_latent_reader(detector.model)
    )
    shown = [each for group in collected.groups for each in group.examples]
    assert shown
    assert all(each.image.base is None and each.anomaly_map.base is None for each in shown)


def test_latents_of_large_images_come_from_around_the_peak(detector):
    read = make_latent_reader(detector.model)
    images = np.zeros((1, 100, 120, 3), "float32")
    images[:, 60:, 70:] = 1.0
    anomaly_map = np.zeros((1, 100, 120, 1), "float32")
    anomaly_map[0, 90, 110] = 1.0
    np.testing.assert_allclose(read(images, anomaly_map), 1.0)
    anomaly_map[0, 5, 5] = 2.0
    np.testing.assert_allclose(read(images, anomaly_map), 0.0)
