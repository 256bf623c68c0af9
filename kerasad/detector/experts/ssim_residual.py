"""The difference of the structure of image and reconstruction."""

import keras
from keras import ops

from kerasad.detector.experts.base import Expert
from kerasad.losses import structural_similarity


@keras.saving.register_keras_serializable(package="kerasad")
class SSIMResidual(Expert):
    """Structural dissimilarity of image and reconstruction, mean over the channels.

    `(1 - SSIM(x, r)) / 2`; returns `(batch, H, W, 1)` in [0, 1].

    Args:
        window_size: int, odd. Width of the window in pixels.

    Reference: Bergmann et al., "Improving unsupervised defect segmentation by applying structural
    similarity to autoencoders", VISAPP 2019.
    """

    requires = ("images", "reconstruction")

    @property
    def vote(self):
        """Half of what encoder and decoder say."""
        return 0.5

    def __init__(self, window_size: int = 11, **kwargs):
        super().__init__(**kwargs)
        self.window_size = window_size

    def call(self, tensors):
        """Returns the map; see the class."""
        similarity = structural_similarity(
            tensors["images"], tensors["reconstruction"], self.window_size
        )
        return 0.5 * (1.0 - ops.mean(similarity, axis=-1, keepdims=True))
