"""Encoder, decoder and discriminator that work on cells of pretrained features."""

import math

import keras
import tensorflow as tf
from keras import layers

from kerasad.models.networks import LEAKY_SLOPE, latent_heads

SMALL_IMAGE = 64
"""Longest side of the reconstructed image, in pixels."""
CRITIC_WIDTHS = (256, 128)
"""Channels of the discriminator's hidden layers."""


@keras.saving.register_keras_serializable(package="kerasad")
class PlaceBias(layers.Layer):
    """Adds a learned vector to each cell, one for each place.

    In images of parts that always lie the same way, what is normal depends on the place. Where
    places mean nothing, as in crops, all vectors stay alike.
    """

    def build(self, input_shape):
        """Creates the vectors."""
        self.bias = self.add_weight((1, *input_shape[1:]), "zeros", name="bias")

    def call(self, cells):
        """Returns `(batch, h, w, channels)` plus the vectors."""
        return cells + self.bias


@keras.saving.register_keras_serializable(package="kerasad")
class DepthToSpace(layers.Layer):
    """Splits each cell into 2 x 2 cells with a quarter of its channels each.

    `y[2 i + a, 2 j + b, k] = x[i, j, (2 a + b) C / 4 + k]`, with `C` the channels of `x`.
    """

    def call(self, cells):
        """Returns `(batch, 2 h, 2 w, channels / 4)` of `(batch, h, w, channels)`."""
        return tf.nn.depth_to_space(cells, 2)


def build_feature_encoder(view_shape, latent_dim: int, width: int) -> keras.Model:
    """Builds the network from cells of features to the latent code of each 2 x 2 of them.

    Args:
        view_shape: `(h, w, channels)` of the features.
        latent_dim: int. Channels of the code.
        width: int. Channels of the hidden layers.

    Returns:
        encoder: model from `(batch, h, w, channels)` to a dict of `z_mean`, `z_log_var` `(batch,
        ceil(h / 2), ceil(w / 2), latent_dim)` and `features_1`, the activations that they are
        linear in.
    """
    inputs = keras.Input(view_shape, name="features")
    # Each cell of the code sees its own 2 x 2 cells: one matrix product instead of convolutions on
    # the fine grid, which would take most of the time.
    x = layers.Conv2D(width, 2, strides=2, padding="same", name="reduce")(inputs)
    x = layers.LeakyReLU(LEAKY_SLOPE, name="reduce_activation")(x)
    x = _residual(x, width, "features_1")
    return keras.Model(
        inputs, {"features_1": x, **latent_heads(x, "conv", latent_dim)}, name="encoder"
    )


def build_feature_decoder(view_shape, latent_dim: int, width: int) -> keras.Model:
    """Builds the network from a latent code to the features of a good image.

    Args:
        view_shape: as in `build_feature_encoder`.
        latent_dim: int.
        width: int.

    Returns:
        decoder: model from `(batch, ceil(h / 2), ceil(w / 2), latent_dim)` to float32
        `(batch, h, w, channels)`, unbounded.
    """
    height, columns, channels = view_shape
    inputs = keras.Input((-(-height // 2), -(-columns // 2), latent_dim), name="z")
    x = layers.Conv2D(width, 3, padding="same", name="widen")(inputs)
    x = PlaceBias(name="place")(x)
    x = layers.LeakyReLU(LEAKY_SLOPE, name="widen_activation")(x)
    x = _residual(x, width, "hidden")
    # A transposed convolution whose windows do not overlap, with a bias for each of the four cells,
    # written as one matrix product, which is faster.
    x = layers.Conv2D(4 * channels, 1, dtype="float32", name="restored_blocks")(x)
    x = DepthToSpace(dtype="float32", name="restored")(x)
    surplus = (x.shape[1] - height, x.shape[2] - columns)
    if any(surplus):
        x = layers.Cropping2D(((0, surplus[0]), (0, surplus[1])), name="crop")(x)
    return keras.Model(inputs, x, name="decoder")


def build_feature_discriminator(view_shape, embedding_dim: int) -> keras.Model:
    """Builds the network that classifies single cells: real or not, and by AdaCos class.

    It sees a cell and how it differs from its counterpart: of an image and its reconstruction, one
    is the candidate, the other the counterpart. A cell of a pretrained network's features already
    knows its surroundings, so there is no convolution over neighbours. Nothing normalizes the
    weights: with spectral normalization it learns too slowly to matter in a few hundred steps.

    Args:
        view_shape: as in `build_feature_encoder`. Any grid will do, only the channels count.
        embedding_dim: int.

    Returns:
        discriminator: model from a list of two tensors `(batch, h, w, channels)`, candidate and
        difference, to a dict of float32 `logits` `(batch, h, w, 1)`, `features` `(batch, h, w,
        128)` and `embedding` `(batch, h, w, embedding_dim)`.

    Reference: Sauer et al., "Projected GANs converge faster", NeurIPS 2021: small heads on frozen
    features, which learn as fast as the generator.
    """
    shape = (None, None, view_shape[-1])
    inputs = [keras.Input(shape, name=name) for name in ("candidate", "difference")]
    x = layers.Concatenate(name="pair")(inputs)
    for number, width in enumerate(CRITIC_WIDTHS, start=1):
        x = layers.Conv2D(width, 1, name=f"hidden_{number}")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"hidden_{number}_activation")(x)
    outputs = {
        "logits": layers.Conv2D(1, 1, dtype="float32", name="logits")(x),
        "features": x,
        "embedding": layers.Conv2D(embedding_dim, 1, dtype="float32", name="embedding")(x),
    }
    return keras.Model(inputs, outputs, name="discriminator")


def build_image_head(latent_shape, width: int, image_size) -> keras.Model:
    """Builds the small network from a latent code to a small picture.

    Args:
        latent_shape: `(h, w, latent_dim)`.
        width: int.
        image_size: `(height, width)` of the images.

    Returns:
        image_head: model from `(batch, h, w, latent_dim)` to float32 `(batch, f * h, f * w, 3)` in
        [0, 1], with `f` the largest power of 2 (at least 1) for which sides are at most
        `SMALL_IMAGE` and at most the images'.
    """
    inputs = keras.Input(latent_shape, name="z")
    most = min(
        min(SMALL_IMAGE, side) / cells
        for side, cells in zip(image_size, latent_shape[:2], strict=True)
    )
    factor = 2 ** max(0, int(math.log2(most)))
    x = layers.Conv2D(width, 3, padding="same", name="image_hidden")(inputs)
    x = PlaceBias(name="image_place")(x)
    x = layers.LeakyReLU(LEAKY_SLOPE, name="image_activation")(x)
    x = layers.Conv2DTranspose(3, factor, strides=factor, name="image")(x)
    x = layers.Activation("sigmoid", dtype="float32", name="reconstruction")(x)
    return keras.Model(inputs, x, name="image_head")


def _residual(x, width, name):
    y = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv")(x)
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.LeakyReLU(LEAKY_SLOPE, name=name)(x)
