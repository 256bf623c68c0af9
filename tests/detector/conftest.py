"""A model that reconstructs everything in grey, and good images that are almost so."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kerasad.models.base import AnomalyModel


@keras.saving.register_keras_serializable(package="tests")
class GreyModel(AnomalyModel):
    """Knows one reconstruction, so that every map can be computed by hand."""

    def __init__(self, image_shape, level=0.5, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = tuple(image_shape)
        self.level = level
        self.grey = self.add_weight((), keras.initializers.Constant(level), name="grey")
        self.built = True

    def tensors(self, images):
        shape = ops.shape(images)
        # A quarter of the resolution, and features of two channels.
        cells = ops.average_pool(images, 4, strides=4, padding="same")
        return {
            "images": images,
            "reconstruction": ops.broadcast_to(self.grey, shape),
            "features": cells[..., :2],
            "attention_map": cells[..., 2:],
        }

    def call(self, images):
        return self.tensors(images)["reconstruction"]

    def reconstruct(self, images):
        return self(images)


@pytest.fixture(scope="session")
def make_model():
    """Function of an image shape that returns the grey model."""
    return GreyModel


def draw_good_images(count, height, width, seed=0):
    generator = np.random.default_rng(seed)
    coarse = generator.uniform(0.4, 0.6, size=(count, height // 4, width // 4, 3))
    noise = generator.normal(0, 0.02, size=(count, height, width, 3))
    return (np.kron(coarse, np.ones((1, 4, 4, 1))) + noise).astype("float32")


@pytest.fixture(scope="session")
def good_images():
    """Function of count, height, width and seed that returns float32 images."""
    return draw_good_images


@pytest.fixture(scope="session")
def batched():
    """Function of images and a batch size that returns a dataset."""

    def make(images, batch_size=4):
        return tf.data.Dataset.from_tensor_slices(images).batch(batch_size)

    return make
