"""What the baselines on pixels have in common: an autoencoder, its losses by name, one player."""

import keras
import tensorflow as tf
from keras import ops

from kerasad.baselines.networks import build_code_encoder
from kerasad.data.geometry import unpack_inputs
from kerasad.errors import check_choice, check_whole, checked_image_shape
from kerasad.losses.means import mean_of_image, mean_over_images
from kerasad.models.arguments import SMALLEST_SIDE
from kerasad.models.health import reconstruction_contrast
from kerasad.models.networks import build_decoder, default_depth, seed_weights
from kerasad.models.trained_model import TrainedModel, loss_gradients, read_counting
from kerasad.precision import dtype_policy_scope


class Autoencoder(TrainedModel):
    """Base class of baselines that compare an image with what an autoencoder restores of it.

    A subclass names its losses in `loss_names` and returns them from `terms`. It may add networks
    in `build_networks`, tensors in `restore`, measures of its health in `health_names` and
    `health`, and define another `anomaly_map`.

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        latent: `"dense"` (one code for the image) or `"conv"` (a code for each cell).
        latent_dim: int. Channels of the code.
        filters: int. Channels after the first halving.
        depth: int >= 2 or None. Number of halvings; None chooses by size, see `default_depth`.
        seed: int >= 0 or None. Seed of weights and noise.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1]; or a dict of `images`
            and `valid`, see `AnomalyModel.tensors`.
        training: bool.

    Returns:
        reconstruction: float32 tensor `(batch, height, width, 3)` in [0, 1].

    Raises:
        InputError: For an argument outside its range.
    """

    loss_names: tuple[str, ...] = ("reconstruction_loss",)
    sum_names: tuple[str, ...] = ("loss",)
    health_names: tuple[str, ...] = ("reconstruction_contrast",)

    def __init__(
        self,
        image_shape,
        latent="dense",
        latent_dim=100,
        filters=32,
        depth=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.image_shape = checked_image_shape(image_shape, SMALLEST_SIDE)
        self.latent = latent
        self.latent_dim = latent_dim
        self.filters = filters
        self.depth = default_depth(*self.image_shape[:2]) if depth is None else depth
        self.seed = seed
        check_choice("latent", latent, ("conv", "dense"))
        for name, lowest in (("latent_dim", 1), ("filters", 1), ("depth", 2)):
            check_whole(name, getattr(self, name), lowest)
        if seed is not None:
            check_whole("seed", seed, 0)
        # A reloaded model must not depend on the policy of the process that loads it.
        with dtype_policy_scope(self.dtype_policy):
            networks = self.build_networks()
        if seed is not None:
            for number, network in enumerate(networks):
                seed_weights(network, 1000 * seed + 100 * number)
        self.create_trackers((*self.loss_names, *self.sum_names), self.health_names)
        # `train_step` never calls the model itself, and an unbuilt model cannot be saved.
        self(keras.Input(self.image_shape))

    @property
    def network_options(self) -> tuple:
        """The arguments of `build_encoder` and `build_decoder`."""
        return (self.image_shape, self.latent, self.latent_dim, self.filters, self.depth)

    def build_networks(self) -> list[keras.Model]:
        """Creates all networks; returns them in the order of their seeds."""
        self.encoder = build_code_encoder(*self.network_options)
        self.decoder = build_decoder(*self.network_options)
        return [self.encoder, self.decoder]

    def restore(self, images, training: bool = False) -> dict:
        """Returns the code `z_mean` of images, their `reconstruction`, and what else is known."""
        code = self.encoder(images, training=training)["z_mean"]
        return {"z_mean": code, "reconstruction": self.decoder(code, training=training)}

    def damage(self, images, training: bool):
        """Returns what the encoder reads in training; the images themselves, unless overridden."""
        return images

    def terms(self, images, valid, made: dict, training: bool) -> dict:
        """Returns `(weight, scalar loss)` by the names of `loss_names`.

        Args:
            images: float32 tensor `(batch, height, width, 3)`.
            valid: float tensor `(batch, height, width, 1)`, 0 where padded, or None.
            made: what `restore` returned.
            training: bool.
        """
        raise NotImplementedError

    def health(self, images, made: dict) -> dict:
        """Returns the measures of `health_names`, which `CollapseNotice` watches."""
        contrast = reconstruction_contrast(images, made["reconstruction"])
        return {"reconstruction_contrast": contrast}

    def losses(self, images, valid, training: bool) -> tuple[dict, dict]:
        """Returns all that is logged of a batch by name, and what `restore` returned."""
        images = ops.cast(images, "float32")
        made = self.restore(self.damage(images, training), training=training)
        terms = self.terms(images, valid, made, training)
        logs = {name: loss for name, (_, loss) in terms.items()}
        logs["loss"] = sum(weight * loss for weight, loss in terms.values())
        return {**logs, **self.health(images, made)}, made

    def train_autoencoder(self, images, valid) -> tuple[dict, dict]:
        """Makes one step of the autoencoder's optimizer; returns what `losses` does."""
        with tf.GradientTape() as tape:
            logs, made = self.losses(images, valid, training=True)
            scaled = self.optimizer.scale_loss(logs["loss"])
        variables = self.generator_variables
        self.optimizer.apply(loss_gradients(tape, scaled, variables), variables)
        return logs, made

    def train_step(self, data):
        """Trains on one batch; returns the running means of the losses."""
        return self.track(self.train_autoencoder(*read_counting(data))[0])

    def test_step(self, data):
        """Returns the running means of the losses on images without damage or noise."""
        return self.track(self.losses(*read_counting(data), training=False)[0])

    @property
    def generator_variables(self):
        """The trainable variables of encoder and decoder."""
        return self.encoder.trainable_variables + self.decoder.trainable_variables

    def call(self, inputs, training=False):
        """Returns the reconstruction; see the class."""
        images, _ = unpack_inputs(inputs)
        return self.restore(images, training=training)["reconstruction"]

    def reconstruct(self, inputs):
        """Returns the reconstruction as a picture."""
        return self(inputs)

    def anomaly_map(self, images, made: dict):
        """Returns the method's own map, float32 `(batch, h, w, 1)`.

        Unless overridden, the squared error of each pixel, mean over the channels.

        Args:
            images: float32 tensor `(batch, height, width, 3)`.
            made: what `restore` returned.
        """
        return squared_error(images, made["reconstruction"])

    def tensors(self, inputs) -> dict:
        """Returns float32 tensors by name: `images`, all of `restore`, and `anomaly_map`."""
        images = ops.cast(unpack_inputs(inputs)[0], "float32")
        made = self.restore(images)
        found = {"images": images, **made, "anomaly_map": self.anomaly_map(images, made)}
        return {name: ops.cast(value, "float32") for name, value in found.items()}

    def residual_map(self, inputs):
        """Returns the method's own map, interpolated linearly to the size of the images."""
        tensors = self.tensors(inputs)
        size, anomaly_map = tensors["images"].shape[1:3], tensors["anomaly_map"]
        if anomaly_map.shape[1:3] == size:
            return anomaly_map
        return ops.image.resize(anomaly_map, size, interpolation="bilinear")


def squared_error(images, reconstruction):
    """Returns `(x - r)^2`, mean over the channels, float32 `(batch, h, w, 1)`."""
    error = ops.square(ops.cast(images, "float32") - ops.cast(reconstruction, "float32"))
    return ops.mean(error, axis=-1, keepdims=True)


def absolute_error(images, reconstruction):
    """Returns `|x - r|`, mean over the channels, float32 `(batch, h, w, 1)`."""
    error = ops.abs(ops.cast(images, "float32") - ops.cast(reconstruction, "float32"))
    return ops.mean(error, axis=-1, keepdims=True)


def mean_error(error, valid):
    """Returns the mean of `(batch, h, w, 1)` errors: over an image's real pixels, then over images.

    Args:
        error: float32 tensor `(batch, h, w, 1)`.
        valid: float tensor of the same shape, 0 where padded, or None.
    """
    return mean_over_images(mean_of_image(error, valid), valid)
