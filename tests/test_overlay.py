import numpy as np
import pytest
import tensorflow as tf

from kerasad.overlay import (
    MAX_OPACITY,
    ColourScale,
    draw_colours,
    draw_enlarged,
    draw_layer,
    draw_overlay,
    enlarge,
    enlargement,
    palette,
    scale_level,
)
from kerasad.tracing import compiled

SCALE = ColourScale(2.0)
GREY = np.full((12, 16, 3), 0.5, "float32")


def one_spot(value=8.0):
    anomaly_map = np.zeros((12, 16, 1), "float32")
    anomaly_map[3:8, 4:11] = value
    return anomaly_map


def test_the_threshold_is_in_the_middle_of_the_scale():
    values = np.array([-5.0, 0.0, 1.0, 2.0, 4.0, 100.0])
    np.testing.assert_allclose(SCALE.level(values), [0.0, 0.0, 0.25, 0.5, 1.0, 1.0])
    assert (SCALE.low, SCALE.high) == (0.0, 4.0)


@pytest.mark.parametrize("threshold", [0.0, -1.5])
def test_a_threshold_below_zero_still_has_room_under_it(threshold):
    scale = ColourScale(threshold)
    assert scale.low < scale.threshold < scale.high
    assert scale.level(np.array(threshold)) == 0.5


@pytest.mark.parametrize("threshold", [2.0, 0.0, -1.5])
def test_a_threshold_may_be_a_tensor(threshold):
    values = np.linspace(-4.0, 6.0, 50, dtype="float32")
    level = compiled(scale_level)(values, tf.constant(threshold))
    np.testing.assert_allclose(level, ColourScale(threshold).level(values), atol=1e-6)


def test_colours_do_not_depend_on_the_other_pixels_of_an_image():
    quiet, loud = one_spot(value=1.0), one_spot(value=1.0)
    loud[0, 0] = 50.0
    np.testing.assert_array_equal(draw_colours(quiet, SCALE)[5, 5], draw_colours(loud, SCALE)[5, 5])


def test_brightness_rises_along_the_palette():
    brightness = palette() @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(brightness) > -1e-3)
    assert brightness[-1] - brightness[0] > 0.8


def test_an_image_without_anomaly_stays_as_it_is():
    image = np.random.default_rng(0).random((12, 16, 3)).astype("float32")
    overlay = draw_overlay(image, np.full((12, 16, 1), 0.9, "float32"), SCALE)
    np.testing.assert_allclose(overlay.numpy() / 255, image, atol=0.5 / 255 + 1e-6)


def test_the_outline_is_white_inside_and_black_outside():
    overlay = draw_overlay(GREY, one_spot(), SCALE).numpy()
    assert np.all(overlay[3, 4:11] == 255)
    assert np.all(overlay[3:8, 4] == 255)
    assert np.all(overlay[2, 3:12] == 0)
    assert np.all(overlay[3:8, 11] == 0)
    assert np.all(overlay[0] == 128)
    assert 128 < overlay[5, 7].mean() < 255


def test_an_image_that_is_called_good_has_colours_and_no_outline():
    overlay = draw_overlay(GREY, one_spot(), SCALE, is_defective=False).numpy()
    assert np.all(overlay[3:8, 4:11] == overlay[5, 7])
    assert np.all(overlay[2, 3:12] == 128)
    assert overlay[5, 7, 0] > 128


def test_a_region_at_the_border_has_no_line_along_the_border():
    anomaly_map = np.zeros((12, 16, 1), "float32")
    anomaly_map[:6, :6] = 8.0
    overlay = draw_overlay(GREY, anomaly_map, SCALE).numpy()
    assert np.any(overlay[0, 0] != 255)
    assert np.all(overlay[0, 5] == 255)


def test_a_map_that_is_not_a_number_can_still_be_drawn():
    anomaly_map = one_spot()
    anomaly_map[0, 0] = np.nan
    overlay = draw_overlay(GREY, anomaly_map, SCALE).numpy()
    anomaly_map[0, 0] = 0.0
    np.testing.assert_array_equal(overlay[1:], draw_overlay(GREY, anomaly_map, SCALE)[1:])


def test_enlarging_keeps_constants_and_the_place_of_an_edge():
    np.testing.assert_allclose(enlarge(np.full((3, 5, 3), 0.25), 4), 0.25, rtol=1e-6)
    step = np.zeros((2, 4, 1))
    step[:, 2:] = 1.0
    middle = enlarge(step, 4)[0, 7:9, 0]
    assert middle[0] < 0.5 < middle[1]
    assert draw_overlay(GREY, one_spot(), SCALE, 4).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("size", "factor"),
    [((64, 96), 4), ((256, 300), 1), ((100, 100), 3), ((8, 8), 8), ((1, 500), 8)],
)
def test_small_images_are_enlarged_in_whole_steps(size, factor):
    assert enlargement(*size) == factor


@pytest.mark.parametrize("shape", [(64, 96), (300, 260)])
@pytest.mark.parametrize("threshold", [2.0, -1.0])
def test_a_graph_draws_the_same_bytes_as_eager_mode(shape, threshold):
    generator = np.random.default_rng(0)
    image = generator.random((*shape, 3)).astype("float32")
    coarse = generator.normal(threshold, 1.0, (8, 12, 1))
    anomaly_map = tf.image.resize(coarse, shape).numpy()
    scale = ColourScale(threshold)
    draw = compiled(lambda *arguments: draw_enlarged(*arguments[:2], scale, arguments[2]))
    for values, defective in ((anomaly_map, True), (anomaly_map, False), (anomaly_map - 9.0, True)):
        drawn = draw(image, values, tf.constant(defective))
        np.testing.assert_array_equal(drawn, draw_enlarged(image, values, scale, defective))


def test_a_layer_laid_over_its_image_is_the_overlay():
    layer = draw_layer(one_spot(3.2), SCALE).numpy() / 255
    opacity = MAX_OPACITY * layer[..., 3:]
    laid = (1 - opacity) * GREY + opacity * layer[..., :3]
    drawn = draw_overlay(GREY, one_spot(3.2), SCALE, is_defective=False).numpy() / 255
    np.testing.assert_allclose(laid, drawn, atol=0.01)
