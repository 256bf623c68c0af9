import warnings

import numpy as np
import pytest
import tensorflow as tf

from kerasad.models.health import (
    CollapseWarning,
    active_latents,
    assert_unit_range,
    noted_collapses,
    reconstruction_contrast,
)


def test_active_latents_are_the_share_of_channels_whose_mean_varies_over_the_batch():
    # Channels: 0 everywhere; 0.2 everywhere; +-1 in both cells, variance 1; +-.12 in one of two
    # cells, variance .0144 there and .0072 on average.
    z_mean = np.zeros((2, 1, 2, 4), "float32")
    z_mean[..., 1] = 0.2
    z_mean[0, ..., 2], z_mean[1, ..., 2] = 1.0, -1.0
    z_mean[0, 0, 1, 3], z_mean[1, 0, 1, 3] = 0.12, -0.12
    assert float(active_latents(z_mean)) == 0.25


def test_active_latents_of_a_dense_code():
    z_mean = np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]], "float32")
    assert float(active_latents(z_mean)) == pytest.approx(1 / 3)


def test_one_code_for_every_image_is_collapsed():
    assert float(active_latents(np.full((4, 2, 2, 3), 0.2, "float32"))) == 0.0


def test_a_single_image_shows_nothing_about_the_latent():
    assert float(active_latents(np.zeros((1, 2, 2, 3), "float32"))) == 1.0


def test_contrast_compares_deviations():
    images = np.random.default_rng(0).random((3, 4, 5, 3)).astype("float32")
    assert float(reconstruction_contrast(images, images)) == pytest.approx(1.0)
    assert float(reconstruction_contrast(images, 0.25 * images + 0.5)) == pytest.approx(0.25, 1e-4)
    assert float(reconstruction_contrast(images, np.full_like(images, 0.5))) == pytest.approx(
        0.0, abs=1e-6
    )


def test_one_picture_for_every_input_has_no_contrast():
    images = np.random.default_rng(0).random((3, 4, 5, 3)).astype("float32")
    same = np.repeat(images[:1], 3, axis=0)
    assert float(reconstruction_contrast(images, same)) == pytest.approx(0.0, abs=1e-6)


def test_contrast_of_equal_images_accuses_nobody():
    flat = np.full((2, 4, 4, 3), 0.5, "float32")
    assert float(reconstruction_contrast(flat, flat)) == 1.0


@pytest.mark.parametrize("value", [255.0, -1.0])
def test_images_outside_the_unit_range_are_refused(value):
    images = tf.constant([0.0, 0.5, value])
    with pytest.raises(tf.errors.InvalidArgumentError, match="divide pixels of 0 to 255 by 255"):
        assert_unit_range(images)
    assert_unit_range(tf.constant([0.0, 1.0, np.nan]))


def test_collapses_are_noted_and_still_shown():
    with warnings.catch_warnings(record=True) as shown, noted_collapses() as found:
        warnings.simplefilter("always")
        warnings.warn("the code is dead", CollapseWarning, stacklevel=1)
        warnings.warn("something else", UserWarning, stacklevel=1)
    assert found == ["the code is dead"]
    assert len(shown) == 2
