import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter

from kerasad.detector.map_calibration import (
    GRID_SIGMA,
    GRID_STRIDE,
    SCALE_FLOOR,
    MapCalibration,
)
from kerasad.errors import InputError


def make_calibration(maps, valid=None, position_free=False, batch=None):
    calibration = MapCalibration(maps.shape[1:3], maps.shape[-1], position_free)
    calibration.build()
    step = batch or len(maps)
    parts = [slice(first, first + step) for first in range(0, len(maps), step)]
    calibration.measure(
        (tf.constant(maps[part]), None if valid is None else valid[part]) for part in parts
    )
    return calibration


def random_maps(count=5, height=12, width=20, experts=2, seed=0):
    generator = np.random.default_rng(seed)
    level = np.linspace(0, 3, height * width).reshape(1, height, width, 1)
    spread = np.linspace(2, 1, height * width).reshape(1, height, width, 1)
    noise = generator.normal(size=(count, height, width, experts))
    return (level + spread * noise * [1.0, 10.0][:experts]).astype("float32")


def weights_of(layer):
    return {variable.name: np.asarray(variable) for variable in layer.variables}


def test_global_mean_and_scale_are_those_of_all_pixels():
    maps = random_maps()
    calibration = make_calibration(maps)
    np.testing.assert_allclose(np.asarray(calibration.mean), maps.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(calibration.scale), maps.std((0, 1, 2)), rtol=1e-5)


def test_pixels_of_smaller_edge_cells_count_like_all_others():
    maps = random_maps(height=10, width=7)
    calibration = make_calibration(maps)
    np.testing.assert_allclose(np.asarray(calibration.mean), maps.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(calibration.scale), maps.std((0, 1, 2)), rtol=1e-5)


def test_global_standardization_by_hand():
    # Values 1 and 5: mean 3, scale 2. So 9 becomes asinh(3), and -1 asinh(-2).
    maps = np.tile(np.array([1.0, 5.0], "float32").reshape(2, 1, 1, 1), (1, 4, 4, 1))
    calibration = make_calibration(maps)
    asked = np.full((1, 4, 4, 1), 9.0, "float32")
    asked[0, 1, 2] = -1.0
    pixels, places = (np.asarray(values) for values in calibration(asked))
    everywhere = 2.0 * pixels - places  # the map for pixels is the mean of both
    assert everywhere[0, 0, 0, 0] == pytest.approx(np.arcsinh(3.0))
    assert everywhere[0, 1, 2, 0] == pytest.approx(np.arcsinh(-2.0))


def test_place_statistics_are_smoothed_and_shrunk_as_documented():
    maps = random_maps(count=6)
    calibration = make_calibration(maps)
    cells = maps.astype("float64").reshape(6, 3, GRID_STRIDE, 5, GRID_STRIDE, 2)
    mean, variance = cells.mean(axis=(0, 2, 4)), cells.var(axis=(0, 2, 4))
    scale = maps.astype("float64").std(axis=(0, 1, 2))
    for expert in range(2):
        smooth_mean, smooth_variance = (
            gaussian_filter(values[..., expert], GRID_SIGMA, mode="nearest")
            for values in (mean, variance)
        )
        smooth_variance = (6 * smooth_variance + scale[expert] ** 2) / 7
        np.testing.assert_allclose(
            np.asarray(calibration.place_mean)[0, ..., expert], smooth_mean, rtol=1e-4
        )
        np.testing.assert_allclose(
            np.asarray(calibration.place_scale)[0, ..., expert],
            np.sqrt(smooth_variance) + SCALE_FLOOR * scale[expert],
            rtol=1e-4,
        )


def test_same_value_is_more_unusual_where_good_images_never_vary():
    generator = np.random.default_rng(0)
    maps = generator.normal(size=(20, 32, 32, 1)).astype("float32")
    maps[:, :, :16] *= 0.05
    _, by_place = make_calibration(maps)(np.full((1, 32, 32, 1), 1.0, "float32"))
    by_place = np.asarray(by_place)[0, ..., 0]
    assert by_place[16, 2] > 1.5 * by_place[16, 29]


def test_places_of_an_odd_size_lie_where_they_were_measured():
    # A step between the second and third column of cells, in an image that ends inside a cell.
    maps = np.zeros((3, 17, 18, 1), "float32")
    maps[:, :, 8:] = 1.0
    calibration = MapCalibration((17, 18), 1)
    calibration.build()
    grid = np.zeros((1, 5, 5, 1), "float32")
    grid[:, :, 2:] = 1.0
    calibration.place_mean.assign(grid)
    mean = -np.sinh(np.asarray(calibration(np.zeros((1, 17, 18, 1), "float32"))[1]))[0, :, :, 0]
    assert mean.shape == (17, 18)
    # Bilinear between the cells' centers, columns 5.5 and 9.5: half way at 7.5.
    np.testing.assert_allclose(mean[:, 5:10], np.tile([0, 0.125, 0.375, 0.625, 0.875], (17, 1)))


def test_batches_of_any_size_give_the_same_state():
    maps = random_maps(count=7)
    whole, single = make_calibration(maps), make_calibration(maps, batch=1)
    for name, value in weights_of(whole).items():
        np.testing.assert_allclose(weights_of(single)[name], value, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("position_free", [False, True])
def test_padded_pixels_count_nowhere(position_free):
    maps = random_maps(count=4)
    valid = np.ones((4, 12, 20, 1), "float32")
    valid[1, 8:], valid[2, :, 6:], valid[3, 3:] = 0, 0, 0
    spoilt = np.where(valid > 0, maps, 1e6).astype("float32")
    clean, other = (make_calibration(m, valid, position_free) for m in (maps, spoilt))
    real = maps[valid[..., 0] > 0]
    np.testing.assert_allclose(np.asarray(clean.mean), real.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(np.asarray(clean.scale), real.std(axis=0), rtol=1e-5)
    for name, value in weights_of(clean).items():
        np.testing.assert_array_equal(weights_of(other)[name], value, err_msg=name)


def test_place_that_only_padding_was_seen_at_counts_as_average():
    maps = random_maps(count=4, height=64, width=8)
    valid = np.ones((4, 64, 8, 1), "float32")
    valid[:, 16:] = 0
    calibration = make_calibration(maps, valid)
    mean, scale = np.asarray(calibration.mean), np.asarray(calibration.scale)
    place_mean, place_scale = (
        np.asarray(value)[0, -1] for value in (calibration.place_mean, calibration.place_scale)
    )
    np.testing.assert_allclose(place_mean, np.tile(mean, (2, 1)), rtol=1e-3)
    np.testing.assert_allclose(place_scale, np.tile((1 + SCALE_FLOOR) * scale, (2, 1)), rtol=1e-3)


def test_one_image_is_enough():
    maps = random_maps(count=1)
    calibration = make_calibration(maps)
    everywhere, by_place = (np.asarray(values) for values in calibration(maps))
    assert np.isfinite(everywhere).all()
    assert np.isfinite(by_place).all()
    floor = (1 / np.sqrt(2) + SCALE_FLOOR) * np.asarray(calibration.scale)
    assert (np.asarray(calibration.place_scale) >= floor - 1e-5).all()


@pytest.mark.parametrize("value", [0.0, 1.0, 1e4])
def test_expert_that_is_constant_on_good_images_stays_finite(value):
    maps = np.full((3, 8, 8, 1), value, "float32")
    calibration = make_calibration(maps)
    for result in calibration(maps):
        np.testing.assert_allclose(np.asarray(result), 0.0, atol=1e-3)
    for result in calibration(maps + 1.0):
        assert np.isfinite(np.asarray(result)).all()
        assert (np.asarray(result) > 0.5).all()


def test_position_free_standardizations_are_one_and_need_no_grid():
    maps = random_maps()
    calibration = make_calibration(maps, position_free=True)
    states = {state.name: tuple(state.shape) for state in calibration.variables}
    assert states == {"sums": (3, 1, 1, 2), "num_images": (), "mean": (2,), "scale": (2,)}
    everywhere, by_place = calibration(maps)
    np.testing.assert_array_equal(np.asarray(everywhere), np.asarray(by_place))


def test_order_of_values_is_kept():
    calibration = make_calibration(random_maps())
    rising = np.linspace(-50, 50, 101).astype("float32").reshape(-1, 1, 1, 1)
    for result in calibration(np.tile(rising, (1, 12, 20, 2))):
        assert (np.diff(np.asarray(result), axis=0) > 0).all()


@pytest.mark.parametrize("position_free", [False, True])
def test_what_was_measured_counts_with_the_maps_that_come_later(position_free):
    first, second = random_maps(seed=1), random_maps(seed=2)
    whole = make_calibration(np.concatenate([first, second]), position_free=position_free)
    parts = make_calibration(first, position_free=position_free)
    parts.measure([(second, None)], parts.measured)
    for name, value in weights_of(whole).items():
        np.testing.assert_allclose(weights_of(parts)[name], value, rtol=1e-5, err_msg=name)


def test_measuring_again_forgets_what_was_measured():
    calibration = make_calibration(random_maps(seed=1))
    calibration.measure([(random_maps(seed=2), None)])
    fresh = make_calibration(random_maps(seed=2))
    for name, value in weights_of(fresh).items():
        np.testing.assert_array_equal(weights_of(calibration)[name], value)


def test_layer_round_trips_through_its_config():
    calibration = make_calibration(random_maps())
    config = keras.saving.serialize_keras_object(calibration)
    again = keras.saving.deserialize_keras_object(config)
    again.set_weights(calibration.get_weights())
    asked = random_maps(seed=3)
    for one, two in zip(calibration(asked), again(asked), strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_maps_that_are_not_numbers_are_refused_and_change_nothing(value):
    maps = random_maps()
    maps[3, 5, 7, 1] = value
    calibration = MapCalibration(maps.shape[1:3], maps.shape[-1])
    calibration.build()
    before = weights_of(calibration)
    with pytest.raises(InputError, match="validation images are not finite"):
        calibration.measure([(maps, None)])
    for name, values in weights_of(calibration).items():
        np.testing.assert_array_equal(values, before[name])


def test_an_expert_that_knows_no_places_counts_over_all_places_in_the_map_alone():
    maps = random_maps()
    maps[..., 1] = maps[..., 0]
    calibration = MapCalibration(maps.shape[1:3], 2, know_places=[True, False])
    calibration.build()
    calibration.measure([(maps, None)])
    pixels, by_place = (np.asarray(values) for values in calibration(maps))
    everywhere = np.arcsinh((maps - np.asarray(calibration.mean)) / np.asarray(calibration.scale))
    np.testing.assert_allclose(pixels[..., 1], everywhere[..., 1], rtol=1e-4, atol=1e-5)
    half = (everywhere + by_place)[..., 0] / 2
    np.testing.assert_allclose(pixels[..., 0], half, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(by_place[..., 0], by_place[..., 1])
