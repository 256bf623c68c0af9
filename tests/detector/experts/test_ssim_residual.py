import keras
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from kerasad.detector.experts import SSIMResidual


def test_residual_is_half_of_what_scikit_image_finds_missing():
    generator = np.random.default_rng(0)
    images = generator.uniform(size=(2, 24, 32, 3)).astype("float32")
    made = np.clip(images + generator.normal(0, 0.2, images.shape), 0, 1).astype("float32")
    result = np.asarray(SSIMResidual()({"images": images, "reconstruction": made}))
    assert result.shape == (2, 24, 32, 1)
    for index in range(2):
        _, similarity = structural_similarity(
            images[index],
            made[index],
            data_range=1.0,
            channel_axis=-1,
            gaussian_weights=True,
            use_sample_covariance=False,
            full=True,
        )
        expected = 0.5 * (1 - similarity.mean(axis=-1))
        np.testing.assert_allclose(result[index, ..., 0], expected, atol=1e-4)


def test_flat_images_leave_the_luminance_term():
    images = np.full((1, 16, 16, 3), 0.2, "float32")
    made = np.full((1, 16, 16, 3), 0.6, "float32")
    luminance = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    result = np.asarray(SSIMResidual()({"images": images, "reconstruction": made}))
    np.testing.assert_allclose(result, 0.5 * (1 - luminance), rtol=1e-4)


def test_perfect_reconstruction_has_none():
    images = np.random.default_rng(0).uniform(size=(1, 16, 16, 3)).astype("float32")
    result = np.asarray(SSIMResidual()({"images": images, "reconstruction": images}))
    np.testing.assert_allclose(result, 0.0, atol=1e-6)


@pytest.mark.parametrize("window_size", [3, 7])
def test_window_reaches_half_its_width(window_size):
    images = np.full((1, 21, 21, 3), 0.5, "float32")
    made = images.copy()
    made[0, 10, 10] = 1.0
    expert = SSIMResidual(window_size)
    touched = np.asarray(expert({"images": images, "reconstruction": made}))[0, ..., 0] > 1e-6
    rows, columns = np.nonzero(touched)
    assert (rows.min(), rows.max()) == (10 - window_size // 2, 10 + window_size // 2)
    assert (columns.min(), columns.max()) == (rows.min(), rows.max())
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(expert))
    assert again.window_size == window_size
