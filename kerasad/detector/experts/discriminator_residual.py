"""The difference of the discriminator's features of image and reconstruction."""

import keras
from keras import ops

from kerasad.detector.experts.base import Expert
from kerasad.precision import add_state


@keras.saving.register_keras_serializable(package="kerasad")
class DiscriminatorResidual(Expert):
    """Difference of the discriminator's features of image and reconstruction.

    `sqrt(mean over k of ((D_k(x) - D_k(r)) / s_k)^2)`, with `s_k` the root mean square of the
    same difference over good images, so that no channel drowns the others. Returns
    `(batch, h, w, 1)`, about 1 on good images.

    Reference: Schlegl et al., "f-AnoGAN", Medical Image Analysis 2019, equation 6; the division
    by channel is ours.
    """

    requires = ("discriminator_features", "reconstruction_discriminator_features")
    passes = 1

    def build(self, tensors_shape):
        """Creates the channels' scales."""
        channels = tensors_shape["discriminator_features"][-1]
        self.squares = add_state(self, "squares", (channels,))
        self.count = add_state(self, "count")

    def call(self, tensors):
        """Returns the map; see the class."""
        variance = self.squares / ops.maximum(self.count, 1.0)
        # A channel that is constant has no variance; the floor avoids a division by 0.
        variance = variance + 1e-3 * ops.mean(variance) + 1e-12
        difference = ops.square(_difference(tensors)) / variance
        return ops.sqrt(ops.mean(difference, axis=-1, keepdims=True) + 1e-12)

    def start(self, pass_index, stream=0):
        """Sets sums and count to 0."""
        self.squares.assign(ops.zeros_like(self.squares))
        self.count.assign(0.0)

    def update(self, tensors, weights, pass_index):
        """Adds a batch's squared differences."""
        difference = _difference(tensors)
        mask = weights(difference.shape[1:3])
        self.squares.assign_add(ops.sum(ops.square(difference) * mask[..., None], axis=(0, 1, 2)))
        self.count.assign_add(ops.sum(mask))


def _difference(tensors):
    return tensors["discriminator_features"] - tensors["reconstruction_discriminator_features"]
