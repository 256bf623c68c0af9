"""The adversarial autoencoder."""

import keras
from keras import ops

from kerasad.baselines.adversarial import AdversarialBaseline
from kerasad.baselines.autoencoder import absolute_error, mean_error, squared_error
from kerasad.baselines.networks import build_code_discriminator
from kerasad.errors import check_at_least
from kerasad.layers import Sampling
from kerasad.layers.cells import valid_cells
from kerasad.losses import discriminator_adversarial_loss, generator_adversarial_loss
from kerasad.models.health import active_latents


@keras.saving.register_keras_serializable(package="kerasad")
class AdversarialAutoencoder(AdversarialBaseline):
    """Autoencoder whose codes an adversary brings to the standard normal distribution.

    Encoder and decoder minimize `reconstruction_weight * R + adversarial_weight * A`, with `R` the
    mean of `(x - r)^2` and `A = -log D(z)` of the code `z` of an image `x`. The discriminator `D`
    minimizes `-log D(p) - log(1 - D(z))`, with `p` drawn from the standard normal: it sees codes
    alone, no images. Map: `|x - r|`, mean over the channels; the score of an image is its maximum.

    Args:
        reconstruction_weight, adversarial_weight: floats >= 0.
        **kwargs: as in `Autoencoder`. The hidden layers of the discriminator have 4 * `filters`
            channels.

    Call arguments, result and errors: as in `Autoencoder`.

    Reference: Makhzani et al., "Adversarial autoencoders", 2015, section 2; for anomalies
    Dimokranitou, "Adversarial autoencoders for anomalous event detection in images", thesis,
    Purdue University 2017, who uses reconstruction error and likelihood of the code. Departures:
    the reconstruction error alone makes the score; both terms in one step, where the papers
    alternate.
    """

    loss_names = ("reconstruction_loss", "adversarial_loss")
    health_names = ("reconstruction_contrast", "active_latents")

    def __init__(self, image_shape, reconstruction_weight=1.0, adversarial_weight=0.01, **kwargs):
        check_at_least("reconstruction_weight", reconstruction_weight, 0)
        check_at_least("adversarial_weight", adversarial_weight, 0)
        self.reconstruction_weight = reconstruction_weight
        self.adversarial_weight = adversarial_weight
        super().__init__(image_shape, **kwargs)

    def build_networks(self):
        """Creates the discriminator of codes and the draws of the prior too."""
        networks = super().build_networks()
        self.discriminator = build_code_discriminator(
            self.image_shape, self.latent, self.latent_dim, self.depth, 4 * self.filters
        )
        self.prior = Sampling(seed=self.seed)
        return [*networks, self.discriminator]

    def terms(self, images, valid, made, training):
        """Returns the squared error and what the discriminator says of the codes."""
        error = mean_error(squared_error(images, made["reconstruction"]), valid)
        logits = self.discriminator(made["z_mean"])
        adversarial = generator_adversarial_loss(logits, code_weights(logits, valid))
        return {
            "reconstruction_loss": (self.reconstruction_weight, error),
            "adversarial_loss": (self.adversarial_weight, adversarial),
        }

    def discriminator_loss(self, images, valid, made, training):
        """Returns the cross-entropy of draws of the prior and codes."""
        zeros = ops.zeros_like(made["z_mean"])
        real = self.discriminator(self.prior((zeros, zeros), training=True))
        fake = self.discriminator(made["z_mean"])
        weights = code_weights(fake, valid)
        return discriminator_adversarial_loss(real, fake, weights, weights)

    def health(self, images, made):
        """Returns the share of the code that is used, too."""
        return {
            **super().health(images, made),
            "active_latents": active_latents(made["z_mean"]),
        }

    def anomaly_map(self, images, made):
        """Returns the absolute error; see the class."""
        return absolute_error(images, made["reconstruction"])

    def image_logits(self, inputs):
        """Returns None: the discriminator sees codes, and a good one ends up telling nothing."""
        return None


def code_weights(values, valid):
    """Returns how much each code counts, with one channel per code, or None if all count alike."""
    if valid is None:
        return None
    if len(values.shape) == 4:
        return valid_cells(valid, values)
    return ops.cast(ops.max(valid, axis=(1, 2, 3)) > 0, "float32")
