"""GANomaly."""

import keras
from keras import ops

from kerasad.baselines.adversarial import AdversarialBaseline, feature_error
from kerasad.baselines.autoencoder import absolute_error, mean_error
from kerasad.baselines.networks import build_code_encoder, build_image_discriminator
from kerasad.errors import check_at_least
from kerasad.layers.cells import mean_of_cells, valid_cells
from kerasad.losses import discriminator_adversarial_loss, mean_over_images


@keras.saving.register_keras_serializable(package="kerasad")
class GANomaly(AdversarialBaseline):
    """Encoder, decoder and a second encoder: what is not restored has another code.

    With an image `x`, its code `z`, the reconstruction `r` and its code `w` by the second encoder,
    these three networks minimize `adversarial_weight * A + reconstruction_weight * R + code_weight
    * C`:

    - `A`, feature matching: the mean of `(f(x) - f(r))^2`, `f` the features of the discriminator;
    - `R`: the mean of `|x - r|`;
    - `C`: the mean of `(z - w)^2`.

    The discriminator tells `x` from `r` by cross-entropy. Map: `|z - w|`, mean over the channels of
    the code, at each of its cells; the score of an image is its maximum.

    Args:
        adversarial_weight, reconstruction_weight, code_weight: floats >= 0.
        **kwargs: as in `Autoencoder`; the code has cells by default.

    Call arguments, result and errors: as in `Autoencoder`.

    Reference: Akcay et al., "GANomaly: semi-supervised anomaly detection via adversarial
    training", ACCV 2018, equations 1 to 5, weights 1, 50 and 1, Adam with a rate of 2e-4 and
    beta_1 of .5. Departures: a code for each cell, so that there is a map (the paper has one of
    100 numbers, and no map); no scaling of scores to the range of the test set, which would make
    the score of an image depend on others; a spectrally normalized discriminator with a decision
    for each cell; a rate of 1e-3 for the autoencoder.
    """

    loss_names = ("adversarial_loss", "reconstruction_loss", "code_loss")

    def __init__(
        self,
        image_shape,
        adversarial_weight=1.0,
        reconstruction_weight=50.0,
        code_weight=1.0,
        latent="conv",
        **kwargs,
    ):
        weights = {
            "adversarial_weight": adversarial_weight,
            "reconstruction_weight": reconstruction_weight,
            "code_weight": code_weight,
        }
        for name, weight in weights.items():
            check_at_least(name, weight, 0)
            setattr(self, name, weight)
        super().__init__(image_shape, latent=latent, **kwargs)

    def build_networks(self):
        """Creates the second encoder and the discriminator too."""
        networks = super().build_networks()
        self.second_encoder = build_code_encoder(*self.network_options)
        self.discriminator = build_image_discriminator(self.image_shape, self.filters, self.depth)
        return [*networks, self.second_encoder, self.discriminator]

    @property
    def generator_variables(self):
        """The trainable variables of both encoders and the decoder."""
        return super().generator_variables + self.second_encoder.trainable_variables

    def restore(self, images, training=False):
        """Returns what the base class does, and `restored_code` of the reconstruction."""
        made = super().restore(images, training)
        code = self.second_encoder(made["reconstruction"], training=training)["z_mean"]
        return {**made, "restored_code": code}

    def terms(self, images, valid, made, training):
        """Returns feature matching, reconstruction and code."""
        # Without training, spectral normalization makes no step of its power iteration.
        real = ops.stop_gradient(self.discriminator(images, training=False)["features"])
        fake = self.discriminator(made["reconstruction"], training=False)["features"]
        error = mean_error(absolute_error(images, made["reconstruction"]), valid)
        return {
            "adversarial_loss": (self.adversarial_weight, feature_error(real, fake, valid)),
            "reconstruction_loss": (self.reconstruction_weight, error),
            "code_loss": (self.code_weight, code_error(made, valid)),
        }

    def discriminator_loss(self, images, valid, made, training):
        """Returns the cross-entropy of images and reconstructions."""
        # One call makes one step of the power iteration.
        both = ops.concatenate([images, made["reconstruction"]], axis=0)
        real, fake = ops.split(self.discriminator(both, training=training)["logits"], 2, axis=0)
        cells = valid_cells(valid, real)
        return discriminator_adversarial_loss(real, fake, cells, cells)

    def anomaly_map(self, images, made):
        """Returns the difference of both codes; see the class."""
        difference = ops.abs(made["z_mean"] - made["restored_code"])
        difference = ops.mean(difference, axis=-1, keepdims=True)
        return difference if self.latent == "conv" else difference[:, None, None]


def code_error(made, valid):
    """Returns the mean of `(z - w)^2`, float32 `()`; of a dense code, or of real cells."""
    error = ops.mean(ops.square(made["z_mean"] - made["restored_code"]), axis=-1, keepdims=True)
    if len(error.shape) == 2:
        return mean_over_images(error[:, 0], valid)
    return mean_over_images(mean_of_cells(error, valid), valid)
