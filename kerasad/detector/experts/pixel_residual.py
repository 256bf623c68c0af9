"""The difference of the colours of image and reconstruction."""

import keras
from keras import ops

from kerasad.detector.experts.base import Expert


@keras.saving.register_keras_serializable(package="kerasad")
class PixelResidual(Expert):
    """Absolute difference of image and reconstruction, mean over the channels.

    `|x - r|`; returns `(batch, H, W, 1)` in [0, 1].
    """

    requires = ("images", "reconstruction")

    @property
    def vote(self):
        """Half of what encoder and decoder say."""
        return 0.5

    def call(self, tensors):
        """Returns the map; see the class."""
        difference = ops.abs(tensors["images"] - tensors["reconstruction"])
        return ops.mean(difference, axis=-1, keepdims=True)
