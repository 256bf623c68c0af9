import numpy as np

from kerasad.detector.experts import PixelResidual


def test_residual_by_hand():
    images = np.zeros((1, 1, 2, 3), "float32")
    reconstruction = np.zeros((1, 1, 2, 3), "float32")
    images[0, 0, 0], reconstruction[0, 0, 0] = [0.5, 0.25, 1.0], [0.75, 0.25, 0.5]
    images[0, 0, 1], reconstruction[0, 0, 1] = [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]
    result = PixelResidual()({"images": images, "reconstruction": reconstruction})
    np.testing.assert_allclose(np.asarray(result), [[[[0.25], [1.0]]]])


def test_perfect_reconstruction_has_none():
    images = np.random.default_rng(0).uniform(size=(2, 4, 6, 3)).astype("float32")
    result = np.asarray(PixelResidual()({"images": images, "reconstruction": images}))
    assert result.shape == (2, 4, 6, 1)
    assert not result.any()
