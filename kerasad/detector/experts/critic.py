"""What the discriminator says of each cell."""

import keras

from kerasad.detector.experts.base import Expert


@keras.saving.register_keras_serializable(package="kerasad")
class Critic(Expert):
    """The discriminator's log-odds of "not good": minus its logit of a cell and its residual.

    It has been trained to tell good cells from cells under synthetic damage and from restored ones,
    and on none of the images that set its scale. Returns `(batch, h, w, 1)`, any real number.

    Reference: Zavrtanik et al., "DRAEM", ICCV 2021, where a network of its own tells synthetic
    damage from image and reconstruction; here it is the adversary of the game.
    """

    requires = ("discriminator_logits",)

    @property
    def vote(self):
        """All that the discriminator says."""
        return 1.0

    def call(self, tensors):
        """Returns the map; see the class."""
        return -tensors["discriminator_logits"]
