"""The variational autoencoder."""

import keras

from kerasad.baselines.autoencoder import Autoencoder, mean_error, squared_error
from kerasad.errors import InputError, check_at_least
from kerasad.layers import Sampling
from kerasad.losses import latent_kl_loss
from kerasad.models.health import active_latents
from kerasad.models.networks import build_encoder


@keras.saving.register_keras_serializable(package="kerasad")
class VAE(Autoencoder):
    """Variational autoencoder whose pixels are normal with a fixed deviation `s`.

    Loss, in nats per pixel value: the mean of `(x - r)^2 / (2 s^2)` plus `kl_weight` times the
    divergence of the code from the standard normal (see `gaussian_kl_divergence`). With a weight
    of 1 that is the negative evidence lower bound, up to a constant. `r` is decoded from a sampled
    code in training, else from its mean. Map: `(x - r)^2`, mean over the channels; the score of an
    image is its maximum.

    Args:
        deviation: float > 0, `s`. A larger one smooths: the divergence gets more weight.
        kl_weight: float >= 0.
        **kwargs: as in `Autoencoder`.

    Call arguments, result and errors: as in `Autoencoder`.

    Reference: Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, equation 10; on
    MVTec AD after Bergmann et al., "The MVTec anomaly detection dataset", IJCV 2021, and Baur et
    al., "Deep autoencoding models for unsupervised anomaly segmentation in brain MR images", 2018,
    whose map is the residual. Departures: our networks; `s` of a tenth, where others take
    cross-entropy or a deviation of 1, under which the code of photographs collapses.
    """

    loss_names = ("reconstruction_loss", "kl_loss")
    health_names = ("reconstruction_contrast", "active_latents")

    def __init__(self, image_shape, deviation=0.1, kl_weight=1.0, **kwargs):
        check_at_least("deviation", deviation, 0)
        if deviation == 0:
            raise InputError("`deviation` must be above 0. Received: 0")
        check_at_least("kl_weight", kl_weight, 0)
        self.deviation = deviation
        self.kl_weight = kl_weight
        super().__init__(image_shape, **kwargs)

    def build_networks(self):
        """Creates an encoder that has a log-variance, and the noise of the code."""
        networks = super().build_networks()
        self.encoder = build_encoder(*self.network_options)
        self.sampling = Sampling(seed=self.seed)
        return [self.encoder, *networks[1:]]

    def restore(self, images, training=False):
        """Returns what the base class does, and `z_log_var`."""
        encoded = self.encoder(images, training=training)
        code = {name: encoded[name] for name in ("z_mean", "z_log_var")}
        z = self.sampling(tuple(code.values()), training=training)
        return {**code, "reconstruction": self.decoder(z, training=training)}

    def terms(self, images, valid, made, training):
        """Returns likelihood and prior."""
        error = mean_error(squared_error(images, made["reconstruction"]), valid)
        divergence = latent_kl_loss(made["z_mean"], made["z_log_var"], images, valid)
        return {
            "reconstruction_loss": (0.5 / self.deviation**2, error),
            "kl_loss": (self.kl_weight, divergence),
        }

    def health(self, images, made):
        """Returns the share of the code that is used, too."""
        return {
            **super().health(images, made),
            "active_latents": active_latents(made["z_mean"]),
        }
