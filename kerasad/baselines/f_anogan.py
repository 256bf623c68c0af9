"""f-AnoGAN: a GAN of good images, and then an encoder that inverts it."""

import keras
import tensorflow as tf
from keras import ops

from kerasad.baselines.adversarial import AdversarialBaseline, feature_error
from kerasad.baselines.autoencoder import mean_error, squared_error
from kerasad.baselines.networks import build_image_discriminator
from kerasad.errors import InputError, check_at_least
from kerasad.layers import Sampling
from kerasad.layers.cells import valid_cells
from kerasad.losses import discriminator_adversarial_loss, generator_adversarial_loss
from kerasad.models.trained_model import loss_gradients, read_counting
from kerasad.precision import add_state


@keras.saving.register_keras_serializable(package="kerasad")
class FAnoGAN(AdversarialBaseline):
    """GAN of good images, and an encoder that is trained after it, with both players at rest.

    In the first half of the epochs, the decoder `G` makes images of draws `p` of the standard
    normal and minimizes `-log D(G(p))`, the discriminator `D` minimizes `-log D(x) - log(1 -
    D(G(p)))`. In the second half the encoder `E` alone moves and minimizes, with `f` the features
    of `D`, the mean of `(x - G(E(x)))^2` plus `feature_weight` times the mean of `(f(x) -
    f(G(E(x))))^2`. Map: the same at each pixel, means over the channels, features interpolated
    linearly; the score of an image is its maximum.

    Args:
        feature_weight: float >= 0, the paper's kappa.
        **kwargs: as in `Autoencoder`.

    Call arguments, result and errors: as in `Autoencoder`. `fit` refuses a single epoch.

    The losses of a phase are logged as 0 in the other one, and so is `loss`, the sum of those that
    the optimizer minimizes.

    Reference: Schlegl et al., "f-AnoGAN: fast unsupervised anomaly detection with generative
    adversarial networks", Medical Image Analysis 2019, equations 3 to 6 (`izi_f`), `feature_weight`
    of 1. Departures: the non-saturating game with a spectrally normalized discriminator in place
    of Wasserstein's with a gradient penalty and five steps of the critic, which take too long
    without a GPU; features of all scales from a quarter of the resolution down; whole images.
    """

    loss_names = ("adversarial_loss", "reconstruction_loss", "feature_loss")
    learning_rate = 2e-4

    def __init__(self, image_shape, feature_weight=1.0, **kwargs):
        check_at_least("feature_weight", feature_weight, 0)
        self.feature_weight = feature_weight
        super().__init__(image_shape, **kwargs)

    def build_networks(self):
        """Creates the discriminator, the draws of the prior and the phase too."""
        networks = super().build_networks()
        self.discriminator = build_image_discriminator(self.image_shape, self.filters, self.depth)
        self.prior = Sampling(seed=self.seed)
        self.encoder_phase = add_state(self, "encoder_phase")
        return [*networks, self.discriminator]

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, **kw):
        """Trains as `TrainedModel.fit` does, in two phases.

        Raises:
            InputError: There is one epoch only.
        """
        if epochs < 2:
            raise InputError(
                "f-AnoGAN trains its encoder after its generator: give at least 2 epochs. "
                f"Received: {epochs!r}"
            )
        callbacks = [_Phases(epochs), *keras.tree.flatten(callbacks or [])]
        return super().fit(x, y, batch_size, epochs, verbose, callbacks, **kw)

    def train_step(self, data):
        """Trains the players of the phase on one batch; returns the running means of the losses."""
        images, valid = read_counting(data)
        images = ops.cast(images, "float32")
        logs = tf.cond(
            tf.convert_to_tensor(self.encoder_phase) > 0,
            lambda: self.train_encoder(images, valid),
            lambda: self.train_game(images, valid),
        )
        return self.track(logs)

    def train_game(self, images, valid) -> dict:
        """Makes one step of decoder and discriminator; returns what is logged."""
        with tf.GradientTape() as tape:
            drawn = self.draw(images, training=True)
            # Without training, spectral normalization makes no step of its power iteration.
            loss = generator_adversarial_loss(self.discriminator(drawn, training=False)["logits"])
            scaled = self.optimizer.scale_loss(loss)
        variables = self.decoder.trainable_variables
        self.optimizer.apply(loss_gradients(tape, scaled, variables), variables)
        made = {"drawn": tf.stop_gradient(drawn)}
        logs = {"adversarial_loss": loss, "loss": loss}
        logs["discriminator_loss"] = self.train_discriminator(images, valid, made)
        return self.completed(logs)

    def train_encoder(self, images, valid) -> dict:
        """Makes one step of the encoder; returns what is logged."""
        with tf.GradientTape() as tape:
            logs, _ = self.encoder_losses(images, valid, training=True)
            scaled = self.optimizer.scale_loss(logs["loss"])
        variables = self.encoder.trainable_variables
        self.optimizer.apply(loss_gradients(tape, scaled, variables), variables)
        return self.completed(logs)

    def completed(self, logs: dict) -> dict:
        """Returns logs with what the phase does not measure."""
        names = (*self.loss_names, *self.sum_names)
        nothing = {"reconstruction_contrast": ops.ones(())}  # as of a batch that shows nothing
        nothing |= {name: ops.zeros(()) for name in names}
        return {name: tf.cast(logs.get(name, value), "float32") for name, value in nothing.items()}

    def draw(self, images, training: bool):
        """Returns as many images of draws of the prior as there are images."""
        codes = ops.zeros((ops.shape(images)[0], *self.decoder.input.shape[1:]))
        return self.decoder(self.prior((codes, codes), training=True), training=training)

    def restore(self, images, training=False):
        """Returns the code and the reconstruction; the decoder never learns from images."""
        code = self.encoder(images, training=training)["z_mean"]
        return {"z_mean": code, "reconstruction": self.decoder(code, training=False)}

    def encoder_losses(self, images, valid, training: bool) -> tuple[dict, dict]:
        """Returns the losses of the encoder by name, and what `restore` returned."""
        made = self.restore(images, training)
        error = mean_error(squared_error(images, made["reconstruction"]), valid)
        real = self.discriminator(images, training=False)["features"]
        fake = self.discriminator(made["reconstruction"], training=False)["features"]
        features = feature_error(real, fake, valid)
        loss = error + self.feature_weight * features
        logs = {"reconstruction_loss": error, "feature_loss": features, "loss": loss}
        return {**logs, **self.health(images, made)}, made

    def losses(self, images, valid, training):
        """Returns the losses of both phases, as on validation images."""
        images = ops.cast(images, "float32")
        logs, made = self.encoder_losses(images, valid, training)
        made["drawn"] = self.draw(images, training)
        judged = self.discriminator(made["drawn"], training=False)["logits"]
        return {**logs, "adversarial_loss": generator_adversarial_loss(judged)}, made

    def discriminator_loss(self, images, valid, made, training):
        """Returns the cross-entropy of images and drawn images."""
        # One call makes one step of the power iteration.
        both = ops.concatenate([ops.cast(images, "float32"), made["drawn"]], axis=0)
        real, fake = ops.split(self.discriminator(both, training=training)["logits"], 2, axis=0)
        return discriminator_adversarial_loss(real, fake, valid_cells(valid, real))

    def anomaly_map(self, images, made):
        """Returns the errors of pixels and features; see the class."""
        both = ops.concatenate([images, made["reconstruction"]], axis=0)
        features = ops.cast(self.discriminator(both, training=False)["features"], "float32")
        real, fake = ops.split(features, 2, axis=0)
        residual = ops.mean(ops.square(real - fake), axis=-1, keepdims=True)
        residual = ops.image.resize(residual, images.shape[1:3], interpolation="bilinear")
        return squared_error(images, made["reconstruction"]) + self.feature_weight * residual


class _Phases(keras.callbacks.Callback):
    """Sets the phase of a `FAnoGAN` before each epoch; a resumed training is in the right one."""

    def __init__(self, epochs: int):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Sets the phase."""
        self.model.encoder_phase.assign(float(2 * epoch >= self.epochs))
