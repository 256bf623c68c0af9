import numpy as np
import pytest

from kerasad.models.latent_loss import latent_loss


def test_nats_per_pixel_value_by_hand():
    # KL of mean 2 is 2 nats in each of 2 x 2 cells; the image has 4 x 4 x 3 values.
    z_mean = np.full((1, 2, 2, 1), 2.0, "float32")
    loss = latent_loss(z_mean, np.zeros_like(z_mean), np.zeros((1, 4, 4, 3), "float32"))
    assert float(loss) == pytest.approx(8 / 48)


def test_cells_with_padding_and_padded_values_count_nowhere():
    z_mean = np.full((1, 2, 2, 1), 2.0, "float32")
    z_mean[0, :, 1] = 50.0
    valid = np.ones((1, 4, 4, 1), "float32")
    valid[:, :, 2:] = 0.0
    loss = latent_loss(z_mean, np.zeros_like(z_mean), np.zeros((1, 4, 4, 3), "float32"), valid)
    assert float(loss) == pytest.approx(4 / 24)
