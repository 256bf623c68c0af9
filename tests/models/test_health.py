import numpy as np
import pytest
import tensorflow as tf

from kerasad.models.health import active_latents, assert_finite, reconstruction_contrast


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_is_named(value):
    with pytest.raises(tf.errors.InvalidArgumentError, match="`kl_loss` is no longer a finite"):
        assert_finite("kl_loss", tf.constant(value))


@pytest.mark.parametrize("value", [0.0, -3.4e38, 1e-45])
def test_finite_losses_pass(value):
    assert_finite("kl_loss", tf.constant(value))


def test_active_latents_are_the_share_of_channels_above_a_hundredth_nat():
    # Channels: at the prior; mean 1; variance e; .015 nats in one of two cells, .0075 on average.
    z_mean = np.zeros((1, 1, 2, 4), "float32")
    z_log_var = np.zeros((1, 1, 2, 4), "float32")
    z_mean[..., 1] = 1.0
    z_log_var[..., 2] = 1.0
    z_mean[0, 0, 1, 3] = np.sqrt(0.03)
    assert float(active_latents(z_mean, z_log_var)) == 0.5


def test_active_latents_of_a_dense_code():
    z_mean = np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]], "float32")
    assert float(active_latents(z_mean, np.zeros((2, 3), "float32"))) == pytest.approx(1 / 3)


def test_a_code_equal_to_the_prior_is_collapsed():
    assert float(active_latents(np.zeros((4, 2, 2, 3)), np.zeros((4, 2, 2, 3)))) == 0.0


def test_contrast_compares_deviations():
    images = np.random.default_rng(0).random((3, 4, 5, 3)).astype("float32")
    assert float(reconstruction_contrast(images, images)) == pytest.approx(1.0)
    assert float(reconstruction_contrast(images, 0.25 * images + 0.5)) == pytest.approx(0.25, 1e-4)
    assert float(reconstruction_contrast(images, np.full_like(images, 0.5))) == 0.0


def test_contrast_of_constant_images_is_finite():
    flat = np.full((2, 4, 4, 3), 0.5, "float32")
    assert float(reconstruction_contrast(flat, flat)) == 0.0
