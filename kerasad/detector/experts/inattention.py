"""Regions that the latent code pays no attention to."""

import keras

from kerasad.detector.experts.base import Expert


@keras.saving.register_keras_serializable(package="kerasad")
class Inattention(Expert):
    """`1 - A`, with `A` the attention map of the latent mean; `(batch, h, w, 1)` in [0, 1].

    Reference: Venkataramanan et al., "CAVGA", ECCV 2020, section 3.1.
    """

    requires = ("attention_map",)

    def call(self, tensors):
        """Returns the map; see the class."""
        return 1.0 - tensors["attention_map"]
