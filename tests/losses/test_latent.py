import numpy as np
import pytest

from kerasad.losses import gaussian_kl_divergence, latent_kl_loss


def test_divergence_by_hand():
    z_mean = np.array([0.0, 1.0, -2.0, 0.0], "float32")
    z_log_var = np.array([0.0, 0.0, np.log(4.0), -1.0], "float32")
    # (m^2 + v - 1 - log v) / 2: 0; 1/2; (4 + 4 - 1 - log 4) / 2; (e^-1 - 1 + 1) / 2
    expected = [0.0, 0.5, (7.0 - np.log(4.0)) / 2.0, np.exp(-1.0) / 2.0]
    np.testing.assert_allclose(gaussian_kl_divergence(z_mean, z_log_var), expected, rtol=1e-6)


def test_divergence_agrees_with_an_integral():
    mean, deviation = 0.7, 0.4
    x = np.linspace(-8, 8, 200001)
    q = np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    log_ratio = -np.log(deviation) - 0.5 * ((x - mean) / deviation) ** 2 + 0.5 * x**2
    expected = np.trapezoid(q * log_ratio, x)
    found = gaussian_kl_divergence(np.float32(mean), np.float32(2 * np.log(deviation)))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_divergence_is_positive_except_at_the_prior():
    z_mean, z_log_var = np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-3, 3, 9))
    divergence = np.asarray(gaussian_kl_divergence(z_mean, z_log_var))
    assert divergence.shape == (9, 9)
    assert divergence[4, 4] == 0.0
    assert np.sum(divergence > 0) == 80


def test_digits_are_kept_near_the_prior():
    log_var = np.float32(1e-4)
    # exp(v) - 1 - v = v^2 / 2 + ...
    found = float(gaussian_kl_divergence(np.float32(0.0), log_var))
    assert found == pytest.approx(float(log_var) ** 2 / 4, rel=1e-2)


def test_half_precision_is_computed_in_float32():
    divergence = gaussian_kl_divergence(np.float16([300.0]), np.float16([0.0]))
    assert divergence.dtype == "float32"
    assert float(divergence[0]) == 45000.0


def test_nats_per_pixel_value_by_hand():
    # KL of mean 2 is 2 nats in each of 2 x 2 cells; the image has 4 x 4 x 3 values.
    z_mean = np.full((1, 2, 2, 1), 2.0, "float32")
    loss = latent_kl_loss(z_mean, np.zeros_like(z_mean), np.zeros((1, 4, 4, 3), "float32"))
    assert float(loss) == pytest.approx(8 / 48)


def test_cells_with_padding_and_padded_values_count_nowhere():
    z_mean = np.full((1, 2, 2, 1), 2.0, "float32")
    z_mean[0, :, 1] = 50.0
    valid = np.ones((1, 4, 4, 1), "float32")
    valid[:, :, 2:] = 0.0
    loss = latent_kl_loss(z_mean, np.zeros_like(z_mean), np.zeros((1, 4, 4, 3), "float32"), valid)
    assert float(loss) == pytest.approx(4 / 24)
