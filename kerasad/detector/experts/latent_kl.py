"""The divergence of each cell's latent code from the prior."""

import keras
from keras import ops

from kerasad.detector.experts.base import Expert
from kerasad.losses import gaussian_kl_divergence


@keras.saving.register_keras_serializable(package="kerasad")
class LatentKL(Expert):
    """Divergence of each cell's latent code from the prior, in nats: `sum over j of KL_j`.

    Returns `(batch, h, w, 1)`, >= 0. Only for a latent code with cells.

    Reference: Zimmerer et al., "Unsupervised anomaly localization using variational
    auto-encoders", MICCAI 2019.
    """

    requires = ("z_mean", "z_log_var")

    def available(self, shapes):
        """Returns whether the latent code has cells."""
        return super().available(shapes) and len(shapes["z_mean"]) == 4

    def call(self, tensors):
        """Returns the map; see the class."""
        divergence = gaussian_kl_divergence(tensors["z_mean"], tensors["z_log_var"])
        return ops.sum(divergence, axis=-1, keepdims=True)
