"""The VAE-GAN with a learned similarity."""

import keras
import tensorflow as tf
from keras import ops

from kerasad.baselines.adversarial import AdversarialBaseline, feature_error
from kerasad.baselines.networks import build_image_discriminator
from kerasad.errors import check_at_least
from kerasad.layers import Sampling
from kerasad.layers.cells import valid_cells
from kerasad.losses import (
    discriminator_adversarial_loss,
    generator_adversarial_loss,
    latent_kl_loss,
)
from kerasad.models.health import active_latents
from kerasad.models.networks import build_encoder
from kerasad.models.trained_model import loss_gradients


@keras.saving.register_keras_serializable(package="kerasad")
class VAEGANSimilarity(AdversarialBaseline):
    """VAE-GAN whose likelihood is that of the discriminator's features.

    With an image `x`, a code `z` sampled by the encoder, `r = Dec(z)`, and `s = Dec(p)` of a draw
    `p` of the prior:

    - `L_like`: the mean of `(f(x) - f(r))^2 / 2`, `f` the features of the discriminator `D`;
    - `L_prior`: the divergence of the code from the standard normal, in nats per pixel value;
    - `L_gan = -log D(r) - log D(s)` for the decoder, and `-log D(x) - (log(1 - D(r)) + log(1 -
      D(s))) / 2` for the discriminator.

    The encoder minimizes `kl_weight * L_prior + L_like`, the decoder `similarity_weight * L_like +
    adversarial_weight * L_gan`, the discriminator its `L_gan` alone. No gradient of the game
    reaches the encoder, and none of the likelihood the discriminator. Map: `(f(x) - f(r))^2`, mean
    over the channels, at a quarter of the image's resolution; the score of an image is its maximum.

    Args:
        similarity_weight: float >= 0, the paper's gamma.
        adversarial_weight, kl_weight: floats >= 0.
        **kwargs: as in `Autoencoder`.

    Call arguments, result and errors: as in `Autoencoder`.

    Reference: Larsen et al., "Autoencoding beyond pixels using a learned similarity metric", ICML
    2016, algorithm 1; RMSProp with a rate of 3e-4, batches of 64. Departures: the non-saturating
    loss for the decoder; features of all scales from a quarter of the resolution down; likelihood
    and prior are means, not sums, so that weights mean something else; Adam. The paper knows no
    anomalies: the map is ours, as in f-AnoGAN.
    """

    loss_names = ("similarity_loss", "kl_loss", "adversarial_loss", "encoder_loss", "decoder_loss")
    health_names = ("reconstruction_contrast", "active_latents")

    def __init__(
        self,
        image_shape,
        similarity_weight=10.0,
        adversarial_weight=0.1,
        kl_weight=0.01,
        **kwargs,
    ):
        check_at_least("similarity_weight", similarity_weight, 0)
        check_at_least("adversarial_weight", adversarial_weight, 0)
        check_at_least("kl_weight", kl_weight, 0)
        self.similarity_weight = similarity_weight
        self.adversarial_weight = adversarial_weight
        self.kl_weight = kl_weight
        super().__init__(image_shape, **kwargs)

    def build_networks(self):
        """Creates an encoder that has a log-variance, the discriminator and the noise."""
        networks = super().build_networks()
        self.encoder = build_encoder(*self.network_options)
        self.discriminator = build_image_discriminator(self.image_shape, self.filters, self.depth)
        self.sampling = Sampling(seed=self.seed)
        self.prior = Sampling(seed=None if self.seed is None else self.seed + 1)
        return [self.encoder, *networks[1:], self.discriminator]

    def restore(self, images, training=False):
        """Returns what the base class does, and `z_log_var`."""
        encoded = self.encoder(images, training=training)
        code = {name: encoded[name] for name in ("z_mean", "z_log_var")}
        z = self.sampling(tuple(code.values()), training=training)
        return {**code, "reconstruction": self.decoder(z, training=training)}

    def losses(self, images, valid, training):
        """Returns all that is logged by name, and what `restore` returned with `drawn` images."""
        images = ops.cast(images, "float32")
        made = self.restore(images, training)
        zeros = ops.zeros_like(made["z_mean"])
        made["drawn"] = self.decoder(self.prior((zeros, zeros), training=True), training=training)
        # Without training, spectral normalization makes no step of its power iteration.
        real = ops.stop_gradient(self.discriminator(images, training=False)["features"])
        both = ops.concatenate([made["reconstruction"], made["drawn"]], axis=0)
        judged = self.discriminator(both, training=False)
        fake, _ = ops.split(judged["features"], 2, axis=0)
        restored, drawn = ops.split(judged["logits"], 2, axis=0)
        similarity = 0.5 * feature_error(real, fake, valid)
        divergence = latent_kl_loss(made["z_mean"], made["z_log_var"], images, valid)
        adversarial = generator_adversarial_loss(restored, valid_cells(valid, restored))
        adversarial += generator_adversarial_loss(drawn)
        encoder_loss = self.kl_weight * divergence + similarity
        decoder_loss = self.similarity_weight * similarity + self.adversarial_weight * adversarial
        return {
            "similarity_loss": similarity,
            "kl_loss": divergence,
            "adversarial_loss": adversarial,
            "encoder_loss": encoder_loss,
            "decoder_loss": decoder_loss,
            "loss": encoder_loss + decoder_loss,
            **self.health(images, made),
        }, made

    def train_autoencoder(self, images, valid):
        """Makes one step of encoder and decoder, each with its own loss."""
        with tf.GradientTape(persistent=True) as tape:
            logs, made = self.losses(images, valid, training=True)
            encoder_loss = self.optimizer.scale_loss(logs["encoder_loss"])
            decoder_loss = self.optimizer.scale_loss(logs["decoder_loss"])
        encoder, decoder = self.encoder.trainable_variables, self.decoder.trainable_variables
        gradients = loss_gradients(tape, encoder_loss, encoder)
        gradients += loss_gradients(tape, decoder_loss, decoder)
        self.optimizer.apply(gradients, encoder + decoder)
        return logs, made

    def discriminator_loss(self, images, valid, made, training):
        """Returns the cross-entropy of images against reconstructions and drawn images."""
        images = ops.cast(images, "float32")
        # One call makes one step of the power iteration.
        seen = ops.concatenate([images, made["reconstruction"], made["drawn"]], axis=0)
        real, restored, drawn = ops.split(self.discriminator(seen, training=training)["logits"], 3)
        cells = valid_cells(valid, real)
        fake = ops.concatenate([restored, drawn], axis=0)
        weights = ops.concatenate([cells, ops.ones_like(cells)], axis=0)
        return discriminator_adversarial_loss(real, fake, cells, weights)

    def health(self, images, made):
        """Returns the share of the code that is used, too."""
        return {
            **super().health(images, made),
            "active_latents": active_latents(made["z_mean"]),
        }

    def anomaly_map(self, images, made):
        """Returns the squared error of the discriminator's features; see the class."""
        both = ops.concatenate([images, made["reconstruction"]], axis=0)
        features = ops.cast(self.discriminator(both, training=False)["features"], "float32")
        real, fake = ops.split(features, 2, axis=0)
        return ops.mean(ops.square(real - fake), axis=-1, keepdims=True)
