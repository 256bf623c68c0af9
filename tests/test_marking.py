import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from kerasad.marking import mark_pixels, peak_region
from kerasad.tracing import compiled

MAP = np.array(
    [
        [0, 0, 0, 0, 0, 6],
        [0, 5, 0, 0, 0, 0],
        [0, 0, 8, 3, 0, 0],
        [0, 0, 0, 4, 0, 0],
    ],
    "float32",
)


def marked(threshold, **decided):
    return mark_pixels(MAP, threshold, **decided).numpy()


def test_an_image_that_is_called_good_has_no_marked_pixel():
    assert not marked(4.5, is_defective=False).any()


@pytest.mark.parametrize("decided", [(True, False), (False, True)])
def test_pixels_strictly_above_the_threshold_are_marked(decided):
    found = marked(4.0, is_defective=decided[0], needs_review=decided[1])
    np.testing.assert_array_equal(found, MAP > 4.0)


def test_a_defective_image_without_such_a_pixel_has_the_region_around_its_peak():
    # half way from the median of 0 to the peak of 8; 6 is as high, and not connected
    expected = np.zeros(MAP.shape, bool)
    expected[[1, 2, 3], [1, 2, 3]] = True
    np.testing.assert_array_equal(marked(8.0, is_defective=True), expected)


def test_an_image_to_be_looked_at_may_have_no_marked_pixel():
    assert not marked(8.0, is_defective=False, needs_review=True).any()


@pytest.mark.parametrize("value", [-3.0, 0.0, np.nan, np.inf])
def test_a_map_that_is_the_same_everywhere_has_a_region_too(value):
    assert peak_region(np.full((3, 4), value, "float32")).numpy().any()


def test_the_level_of_a_map_below_zero_lies_below_its_peak():
    assert peak_region(MAP - 10.0).numpy().sum() == 3


@pytest.mark.parametrize("seed", range(4))
def test_the_region_is_that_of_connected_component_labelling(seed):
    noise = np.random.default_rng(seed).normal(size=(40, 60))
    anomaly_map = ndimage.gaussian_filter(noise, 1.5).astype("float32")
    median = np.sort(anomaly_map.ravel())[anomaly_map.size // 2]
    high = anomaly_map >= 0.5 * (median + anomaly_map.max())
    labels, _ = ndimage.label(high, structure=np.ones((3, 3)))
    expected = labels == labels.flat[anomaly_map.argmax()]
    np.testing.assert_array_equal(compiled(peak_region)(tf.constant(anomaly_map)), expected)


def test_a_winding_region_is_followed_to_its_end():
    anomaly_map = np.zeros((41, 41), "float32")
    anomaly_map[::4] = 1.0  # eleven rows, joined at one end or the other
    for row in range(0, 40, 8):
        anomaly_map[row : row + 4, -1] = anomaly_map[row + 4 : row + 8, 0] = 1.0
    anomaly_map[0, 20] = 2.0
    assert peak_region(anomaly_map).numpy().sum() == 11 * 41 + 10 * 3
