"""A model that is no VAE-GAN: it knows how bright and how colourful the cells of an image are."""

import keras
from keras import ops

from kerasad.models.base import AnomalyModel


@keras.saving.register_keras_serializable(package="tests")
class BrightnessModel(AnomalyModel):
    """No attention, no reconstruction, no weights."""

    def __init__(self, image_shape, cell=4, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = tuple(image_shape)
        self.cell = cell
        self.built = True

    def tensors(self, inputs):
        cells = ops.average_pool(inputs, self.cell, strides=self.cell)
        spread = ops.max(cells, axis=-1, keepdims=True) - ops.min(cells, axis=-1, keepdims=True)
        return {"features": ops.concatenate([cells, spread], axis=-1)}
