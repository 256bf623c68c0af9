"""Small images and small models."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasad

SMALL = {
    "image_shape": (16, 16, 3),
    "filters": 4,
    "latent_dim": 4,
    "embedding_dim": 8,
    "num_sub_centers": 2,
    "num_clusters": 3,
    "seed": 0,
}


@pytest.fixture(scope="session")
def images():
    """Eight images with structure, float32 (8, 16, 16, 3)."""
    return smooth_images((8, 16, 16, 3))


@pytest.fixture(scope="session")
def make_model():
    """A function that builds a small `VAEGAN`; its keyword arguments replace the small ones."""

    def make(**options):
        return kerasad.VAEGAN(**{**SMALL, **options})

    return make


@pytest.fixture(scope="session")
def draw_images():
    """The function `smooth_images`."""
    return smooth_images


def smooth_images(shape, seed=0):
    """Waves of random direction and colour, in [0, 1]."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[1], : shape[2]] / max(shape[1:3])
    waves = generator.uniform(-9, 9, size=(2, shape[0], 1, 1, shape[3]))
    phase = waves[0] * rows[..., None] + waves[1] * columns[..., None]
    return (0.5 + 0.45 * np.sin(phase)).astype("float32")


@pytest.fixture(scope="session")
def trained(make_model, images):
    """A model after two epochs of `fit` in graph mode, and its history. Only to be looked at."""
    model = make_model()
    model.compile(keras.optimizers.Adam(2e-3), keras.optimizers.Adam(5e-4))
    train = tf.data.Dataset.from_tensor_slices(images).batch(4)
    fit = model.fit(train, epochs=2, validation_data=(images[:4],), verbose=0)
    return model, fit.history
