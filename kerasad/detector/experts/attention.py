"""Where a model looks, and where it does not."""

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


@keras.saving.register_keras_serializable(package="kerasad")
class AnomalousAttention(Expert):
    """The attention map of the class "anomalous" itself; `(batch, h, w, 1)` in [0, 1].

    Reference: Venkataramanan et al., "CAVGA", ECCV 2020, section 3.2.
    """

    requires = ("anomalous_attention",)

    def call(self, tensors):
        """Returns the map; see the class."""
        return tensors["anomalous_attention"]
