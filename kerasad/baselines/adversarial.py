"""What the baselines with a discriminator have in common."""

import tensorflow as tf
from keras import ops

from kerasad.baselines.autoencoder import Autoencoder
from kerasad.data.geometry import unpack_inputs
from kerasad.layers.cells import mean_of_cells
from kerasad.losses import mean_over_images
from kerasad.models.trained_model import loss_gradients, read_counting
from kerasad.models.two_player_model import TwoPlayerModel


class AdversarialBaseline(Autoencoder, TwoPlayerModel):
    """Base class of baselines whose autoencoder plays against a `discriminator`.

    A subclass creates `discriminator` in `build_networks`, and defines `terms` of the autoencoder
    and `discriminator_loss`. A discriminator of other things than images has other `image_logits`.
    In a step the autoencoder moves first.

    Args, call arguments, result and errors: as in `Autoencoder`.
    """

    sum_names = ("loss", "discriminator_loss")

    def discriminator_loss(self, images, valid, made: dict, training: bool):
        """Returns the loss of the discriminator, float32 `()`.

        Args:
            images, valid: as in `terms`.
            made: what `restore` returned, and `terms` may have added to. No gradient leaves it.
            training: bool.
        """
        raise NotImplementedError

    def train_discriminator(self, images, valid, made: dict):
        """Makes one step of the discriminator's optimizer; returns its loss."""
        with tf.GradientTape() as tape:
            loss = self.discriminator_loss(images, valid, made, training=True)
            scaled = self.discriminator_optimizer.scale_loss(loss)
        variables = self.discriminator_variables
        self.discriminator_optimizer.apply(loss_gradients(tape, scaled, variables), variables)
        return loss

    def train_step(self, data):
        """Trains both players on one batch; returns the running means of the losses."""
        images, valid = read_counting(data)
        logs, made = self.train_autoencoder(images, valid)
        made = {name: tf.stop_gradient(value) for name, value in made.items()}
        logs["discriminator_loss"] = self.train_discriminator(images, valid, made)
        return self.track(logs)

    def test_step(self, data):
        """Returns the running means of the losses on images without damage or noise."""
        images, valid = read_counting(data)
        logs, made = self.losses(images, valid, training=False)
        logs["discriminator_loss"] = self.discriminator_loss(images, valid, made, training=False)
        return self.track(logs)

    def image_logits(self, inputs):
        """Returns the discriminator's mean logit of images and of their reconstructions."""
        images, valid = unpack_inputs(inputs)
        seen = {"image": images, "reconstruction": self.reconstruct(inputs)}
        logits = {
            name: self.discriminator(values, training=False)["logits"]
            for name, values in seen.items()
        }
        return {name: mean_of_cells(values, valid) for name, values in logits.items()}

    @property
    def discriminator_variables(self):
        """The trainable variables of the discriminator."""
        return self.discriminator.trainable_variables


def feature_error(real, fake, valid):
    """Returns the mean of `(f(x) - f(r))^2` over real cells and channels, float32 `()`.

    Args:
        real: features of images, `(batch, h, w, channels)`.
        fake: features of reconstructions, of the same shape.
        valid: float tensor `(batch, height, width, 1)`, 0 where padded, or None.
    """
    error = ops.square(ops.cast(real, "float32") - ops.cast(fake, "float32"))
    return mean_over_images(mean_of_cells(ops.mean(error, axis=-1, keepdims=True), valid), valid)
