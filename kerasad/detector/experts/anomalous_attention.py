"""Regions that make a classifier say "anomalous"."""

import keras

from kerasad.detector.experts.base import Expert


@keras.saving.register_keras_serializable(package="kerasad")
class AnomalousAttention(Expert):
    """The attention map of the class "anomalous" itself; `(batch, h, w, 1)` in [0, 1].

    Reference: Venkataramanan et al., "CAVGA", ECCV 2020, section 3.2.
    """

    requires = ("anomalous_attention",)

    def call(self, tensors):
        """Returns the map; see the class."""
        return tensors["anomalous_attention"]
