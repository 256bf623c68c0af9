"""EGBAD: anomalies by a bidirectional GAN."""

import keras
from keras import ops

from kerasad.baselines.adversarial import AdversarialBaseline
from kerasad.baselines.autoencoder import absolute_error
from kerasad.baselines.networks import build_pair_discriminator
from kerasad.data.geometry import unpack_inputs
from kerasad.errors import InputError, check_at_least
from kerasad.layers import Sampling
from kerasad.layers.cells import mean_of_cells, valid_cells
from kerasad.losses import discriminator_adversarial_loss


@keras.saving.register_keras_serializable(package="kerasad")
class EGBAD(AdversarialBaseline):
    """Bidirectional GAN: a discriminator of pairs teaches an encoder to invert a generator.

    The discriminator `D` sees pairs of an image and a code: `(x, E(x))` with the encoder's code, or
    `(G(p), p)` with a draw `p` of the standard normal and the image that the decoder `G` makes of
    it. It minimizes `-log D(x, E(x)) - log(1 - D(G(p), p))`, encoder and decoder `-log(1 - D(x,
    E(x))) - log D(G(p), p)`. There is no reconstruction term: `G(E(x))` is like `x` because the
    pairs are alike. Map, with `f` the last hidden layer of `D`:

    `alpha |x - G(E(x))| + (1 - alpha) |f(x, E(x)) - f(G(E(x)), E(x))|`,

    each a mean over channels, the second interpolated linearly; the score of an image is its
    maximum.

    Args:
        alpha: float in [0, 1]. Share of the residual of pixels.
        **kwargs: as in `Autoencoder`.

    Call arguments, result and errors: as in `Autoencoder`.

    Reference: Zenati et al., "Efficient GAN-based anomaly detection", 2018, equations 1 to 3, with
    `alpha` of .9, and Donahue et al., "Adversarial feature learning", ICLR 2017. Departures: the
    residual is taken at each place, so that there is a map; the discriminator decides cell by cell
    and is spectrally normalized, without dropout.
    """

    loss_names = ("adversarial_loss",)
    learning_rate = 2e-4

    def __init__(self, image_shape, alpha=0.9, **kwargs):
        check_at_least("alpha", alpha, 0)
        if alpha > 1:
            raise InputError(f"`alpha` must be at most 1. Received: {alpha!r}")
        self.alpha = alpha
        super().__init__(image_shape, **kwargs)

    def build_networks(self):
        """Creates the discriminator of pairs and the draws of the prior too."""
        networks = super().build_networks()
        options = (self.image_shape, self.latent, self.latent_dim, self.filters, self.depth)
        self.discriminator = build_pair_discriminator(*options)
        self.prior = Sampling(seed=self.seed)
        return [*networks, self.discriminator]

    def losses(self, images, valid, training):
        """Returns all that is logged by name, and what `restore` returned with a `drawn` pair."""
        images = ops.cast(images, "float32")
        made = self.restore(images, training)
        zeros = ops.zeros_like(made["z_mean"])
        made["drawn_code"] = self.prior((zeros, zeros), training=True)
        made["drawn"] = self.decoder(made["drawn_code"], training=training)
        # Without training, spectral normalization makes no step of its power iteration.
        real, fake = self.judge(images, made, training=False)
        loss = discriminator_adversarial_loss(fake, real, None, valid_cells(valid, real))
        return {"adversarial_loss": loss, "loss": loss, **self.health(images, made)}, made

    def judge(self, images, made, training: bool) -> tuple:
        """Returns the logits of the encoder's and of the decoder's pairs."""
        pairs = [
            ops.concatenate([images, made["drawn"]], axis=0),
            ops.concatenate([made["z_mean"], made["drawn_code"]], axis=0),
        ]
        return ops.split(self.discriminator(pairs, training=training)["logits"], 2, axis=0)

    def discriminator_loss(self, images, valid, made, training):
        """Returns the cross-entropy of both kinds of pairs."""
        real, fake = self.judge(ops.cast(images, "float32"), made, training=training)
        return discriminator_adversarial_loss(real, fake, valid_cells(valid, real))

    def anomaly_map(self, images, made):
        """Returns the residuals of pixels and features; see the class."""
        both = ops.concatenate([images, made["reconstruction"]], axis=0)
        codes = ops.concatenate([made["z_mean"], made["z_mean"]], axis=0)
        features = ops.cast(
            self.discriminator([both, codes], training=False)["features"], "float32"
        )
        real, fake = ops.split(features, 2, axis=0)
        residual = ops.mean(ops.abs(real - fake), axis=-1, keepdims=True)
        residual = ops.image.resize(residual, images.shape[1:3], interpolation="bilinear")
        pixels = absolute_error(images, made["reconstruction"])
        return self.alpha * pixels + (1.0 - self.alpha) * residual

    def image_logits(self, inputs):
        """Returns the mean logit of images and of reconstructions, each with the image's code."""
        images, valid = unpack_inputs(inputs)
        made = self.restore(images)
        seen = {"image": images, "reconstruction": made["reconstruction"]}
        logits = {
            name: self.discriminator([each, made["z_mean"]], training=False)["logits"]
            for name, each in seen.items()
        }
        return {name: mean_of_cells(values, valid) for name, values in logits.items()}
