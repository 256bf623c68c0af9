"""What is special about each baseline with one player."""

import numpy as np
import pytest
import tensorflow as tf

from kerasad import InputError
from kerasad.baselines.autoencoder import mean_error, squared_error
from kerasad.baselines.autoencoder_ssim import dissimilarity
from kerasad.baselines.denoising_autoencoder import CoarseNoise

X = np.array([[0.1, 0.2, 0.4], [0.8, 0.6, 0.3], [0.9, 0.0, 0.5]], "float32")[None, ..., None]
R = np.array([[0.2, 0.2, 0.1], [0.7, 0.9, 0.3], [0.4, 0.1, 0.5]], "float32")[None, ..., None]


def test_the_loss_of_squared_error_on_a_case_by_hand():
    error = squared_error(X, R)
    # .01 + 0 + .09 + .01 + .09 + 0 + .25 + .01 + 0 = .46
    assert float(mean_error(error, None)) == pytest.approx(0.46 / 9, rel=1e-5)
    valid = np.zeros_like(X)
    valid[0, 0] = 1.0
    assert float(mean_error(error, valid)) == pytest.approx(0.10 / 3, rel=1e-5)


def test_the_loss_of_structure_on_a_case_by_hand():
    window = np.exp(-0.5 * (np.array([-1, 0, 1]) / 1.5) ** 2)
    window = np.outer(window, window) / window.sum() ** 2
    x, r = (np.pad(image[0, ..., 0], 1, mode="symmetric") for image in (X, R))
    expected = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            a, b = x[i : i + 3, j : j + 3], r[i : i + 3, j : j + 3]
            m, n = (window * a).sum(), (window * b).sum()
            s, t = (window * (a - m) ** 2).sum(), (window * (b - n) ** 2).sum()
            covariance = (window * (a - m) * (b - n)).sum()
            similarity = (2 * m * n + 1e-4) * (2 * covariance + 9e-4)
            similarity /= (m * m + n * n + 1e-4) * (s + t + 9e-4)
            expected[i, j] = (1 - similarity) / 2
    np.testing.assert_allclose(dissimilarity(X, R, 3)[0, ..., 0], expected, atol=1e-5)
    loss = mean_error(dissimilarity(X, R, 3), None)
    assert float(loss) == pytest.approx(expected.mean(), abs=1e-5)
    assert float(mean_error(dissimilarity(X, X, 3), None)) == pytest.approx(0.0, abs=1e-6)


def test_an_even_window_is_refused(make):
    with pytest.raises(InputError, match="`ssim_window` must be odd"):
        make("autoencoder_ssim", ssim_window=4)


def test_noise_is_coarse_centred_and_only_in_training():
    grey = np.full((200, 16, 16, 1), 0.5, "float32")
    noise = CoarseNoise(0.05, 4, seed=1)
    np.testing.assert_array_equal(noise(grey), grey)
    added = np.asarray(noise(grey, training=True)) - grey
    assert abs(added.mean()) < 0.005
    inside = added[:, 2:-2, 2:-2, 0]
    neighbours = np.corrcoef(inside[:, :, :-1].ravel(), inside[:, :, 1:].ravel())[0, 1]
    assert neighbours > 0.8
    fine = np.asarray(CoarseNoise(0.05, 1, seed=1)(grey, training=True)) - grey
    assert fine.std() == pytest.approx(0.05, rel=0.02)
    assert abs(np.corrcoef(fine[:, :, :-1].ravel(), fine[:, :, 1:].ravel())[0, 1]) < 0.05


def test_the_target_of_a_denoising_autoencoder_has_no_noise(make, images):
    model = make("denoising_autoencoder", noise=0.3)
    logs, made = model.losses(tf.constant(images), None, training=True)
    clean = mean_error(squared_error(images, made["reconstruction"]), None)
    np.testing.assert_allclose(logs["reconstruction_loss"], clean, rtol=1e-5)


def test_the_loss_of_a_vae_is_its_bound_in_nats_of_a_pixel_value(make, images):
    model = make("vae", deviation=0.2, kl_weight=0.5)
    logs, made = model.losses(tf.constant(images), None, training=False)
    squared = np.mean((images - np.asarray(made["reconstruction"])) ** 2)
    mean, log_var = np.asarray(made["z_mean"]), np.asarray(made["z_log_var"])
    divergence = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum() / images.size
    assert float(logs["kl_loss"]) == pytest.approx(divergence, rel=1e-4)
    expected = squared / (2 * 0.2**2) + 0.5 * divergence
    assert float(logs["loss"]) == pytest.approx(expected, rel=1e-4)


def test_a_vae_samples_only_in_training(make, images):
    model = make("vae")
    calm = [np.asarray(model.restore(images)["reconstruction"]) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    noisy = [np.asarray(model.restore(images, training=True)["reconstruction"]) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 0
