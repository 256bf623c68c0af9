import numpy as np
import pytest
from helpers import check_layer
from scipy import ndimage

from kerasad import InputError
from kerasad.layers.gaussian_blur import GaussianBlur


def random_maps(shape=(2, 9, 13, 2)):
    return np.random.default_rng(0).random(shape).astype("float32")


def test_contract():
    check_layer(
        lambda **options: GaussianBlur(1.5, 2.0, **options), random_maps(), shape=(2, 9, 13, 2)
    )


@pytest.mark.parametrize(("sigma", "truncate"), [(0.7, 3.0), (1.0, 4.0), (2.6, 3.0)])
def test_agrees_with_scipy(sigma, truncate):
    maps = random_maps()
    expected = ndimage.gaussian_filter(
        maps.astype("float64"),
        sigma,
        axes=(1, 2),
        mode="mirror",
        radius=int(np.ceil(truncate * sigma)),
    )
    np.testing.assert_allclose(GaussianBlur(sigma, truncate)(maps), expected, atol=1e-6)


def test_a_point_spreads_by_hand_values():
    # sigma 1, one pixel to each side: weights e^-.5, 1, e^-.5 over their sum.
    side, middle = np.array([np.exp(-0.5), 1.0]) / (1.0 + 2.0 * np.exp(-0.5))
    point = np.zeros((1, 5, 6, 1), "float32")
    point[0, 2, 3, 0] = 1.0
    expected = np.outer([0, side, middle, side, 0], [0, 0, side, middle, side, 0])
    blurred = np.asarray(GaussianBlur(1.0, truncate=1.0)(point))[0, :, :, 0]
    np.testing.assert_allclose(blurred, expected, atol=1e-6)


def test_sigma_zero_returns_the_input():
    np.testing.assert_array_equal(GaussianBlur(0)(random_maps()), random_maps())


def test_constant_maps_stay_constant_up_to_the_border():
    np.testing.assert_allclose(GaussianBlur(2.0)(np.full((1, 8, 8, 1), 3.5)), 3.5, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 3, 9, 1), (1, 1, 4, 1), (1, 1, 1, 1)])
def test_maps_smaller_than_the_window_are_smoothed_as_far_as_they_reach(shape):
    blurred = np.asarray(GaussianBlur(4.0)(random_maps(shape)))
    assert blurred.shape == shape
    assert random_maps(shape).min() <= blurred.min() <= blurred.max() <= random_maps(shape).max()


def test_channels_and_images_do_not_mix():
    maps = random_maps()
    alone = GaussianBlur(1.0)(maps[1:, :, :, 1:])
    np.testing.assert_allclose(GaussianBlur(1.0)(maps)[1:, :, :, 1:], alone, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1.0,), "`sigma`.*-1.0"), ((1.0, 0.0), "`truncate`.*0.0")],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        GaussianBlur(*arguments)
