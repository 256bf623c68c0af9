import numpy as np
import pytest

from kerasad.report.collect import collect, overlap
from kerasad.report.latents import MEAN, PEAK, VectorReader


def run(detector, category):
    reader = VectorReader(detector.model)
    return collect(detector, category.test, category.index.test, reader)


@pytest.fixture
def collected(detector, category):
    return run(detector, category)


def count_pixels(collected):
    counts = collected.pixel_metrics.counts()
    return np.sum(counts.normal), np.sum(counts.anomalous)


def test_one_pass_keeps_the_numbers_of_each_image(collected):
    images = collected.images
    assert [image.label for image in images] == [0, 0, 1, 1, 1, 0]
    assert [image.is_anomalous for image in images] == [False, False, True, False, True, False]
    assert [image.name for image in images if image.is_error] == ["test/cut/001.png"]
    assert images[2].iou == pytest.approx(1.0)
    assert images[4].iou is None
    assert collected.vectors[MEAN].shape == (6, 3)
    assert collected.vectors[PEAK].shape == (6, 3)


def test_a_defect_without_mask_counts_for_no_pixel(collected):
    normal, anomalous = count_pixels(collected)
    # five images of 32 x 48 with a mask; two of them have a patch of 8 x 14
    assert anomalous == 2 * 8 * 14
    assert normal == 5 * 32 * 48 - 2 * 8 * 14


def test_padding_counts_nowhere(detector, category):
    valid = np.ones((*category.images.shape[:3], 1), "float32")
    valid[:, 24:] = 0.0
    valid[:, :, 40:] = 0.0
    category.images = {"images": category.images, "valid": valid}
    assert sum(count_pixels(run(detector, category))) == 5 * 24 * 40


def test_what_is_to_be_reviewed_is_neither_an_alarm_nor_a_miss(detector, category):
    detector.review_threshold = 1.5
    miss = run(detector, category).images[3]
    assert miss.needs_review
    assert not miss.is_error
    assert miss.decision == "review"


def test_overlap_by_hand():
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    region = np.array([[0, 1, 1], [0, 0, 0]], bool)
    assert overlap(mask, region) == pytest.approx(1 / 4)
    assert overlap(mask, ~mask) == 0.0
    assert overlap(np.zeros(3, bool), np.zeros(3, bool)) == 1.0
