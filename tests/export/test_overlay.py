import numpy as np
import pytest
import tensorflow as tf

from kerasad.export.overlay import draw_overlay_in_graph, enlargement_in_graph
from kerasad.report.overlay import ColourScale, draw_overlay, enlargement


def draw_both(image, anomaly_map, scale, factor):
    found = tf.function(draw_overlay_in_graph)(
        tf.constant(image), tf.constant(anomaly_map[..., None]), scale, factor
    )
    return found.numpy(), draw_overlay(image, anomaly_map, scale, factor)


@pytest.mark.parametrize("factor", [1, 4])
@pytest.mark.parametrize("threshold", [2.0, -1.0])
def test_the_picture_is_that_of_the_report(factor, threshold):
    generator = np.random.default_rng(0)
    image = generator.random((24, 36, 3)).astype("float32")
    coarse = generator.normal(threshold, 1.0, (6, 9))
    anomaly_map = np.kron(coarse, np.ones((4, 4))).astype("float32")
    anomaly_map += generator.normal(0, 0.1, anomaly_map.shape).astype("float32")
    found, expected = draw_both(image, anomaly_map, ColourScale.from_threshold(threshold), factor)
    assert found.shape == expected.shape
    assert np.any(np.all(expected == 255, axis=-1))  # there is an outline to be compared
    difference = np.abs(found.astype(int) - expected).max(axis=-1)
    # Rounding may move a pixel over the threshold, or to the next of 256 colours.
    assert np.mean(difference > 1) < 0.002


def test_the_border_of_the_picture_is_no_edge():
    anomaly_map = np.zeros((12, 16), "float32")
    anomaly_map[:6, :6] = 8.0
    image = np.full((12, 16, 3), 0.5, "float32")
    found, expected = draw_both(image, anomaly_map, ColourScale.from_threshold(2.0), 1)
    np.testing.assert_array_equal(found, expected)


def test_a_map_that_is_not_a_number_can_still_be_drawn():
    anomaly_map = np.full((8, 8, 1), np.nan, "float32")
    image = np.zeros((8, 8, 3), "float32")
    drawn = draw_overlay_in_graph(image, anomaly_map, ColourScale.from_threshold(2.0), 1)
    assert drawn.shape == (8, 8, 3)


@pytest.mark.parametrize("size", [(64, 96), (256, 300), (100, 100), (8, 8), (1, 500)])
def test_the_enlargement_is_that_of_the_report(size):
    assert int(enlargement_in_graph(*map(tf.constant, size))) == enlargement(*size)
