"""Encoder of a ResNet-18 trunk, and decoder of residual blocks, as functional Keras models."""

from collections.abc import Sequence
from os import PathLike

import keras
from keras import layers

from kerasad.backbones import build_resnet18
from kerasad.backbones.resnet18 import load_resnet18_weights
from kerasad.models.networks import BATCH_NORM_MOMENTUM, cells_of_code, halved_sizes, latent_heads


def build_resnet_encoder(
    image_shape: Sequence[int], latent: str, latent_dim: int, depth: int
) -> keras.Model:
    """Builds a ResNet-18 from an image to the mean and log-variance of its latent code.

    Args:
        image_shape: `(height, width, 3)`.
        latent: `"conv"` or `"dense"`, as in `build_encoder`.
        latent_dim: int. Channels of the code.
        depth: int in 2..5. Number of halvings, see `build_resnet18`.

    Returns:
        encoder: model from `(batch, *image_shape)` in [0, 1] to the dict that `build_encoder`
        gives: `z_mean`, `z_log_var` and `features_1` ... `features_<depth>`.
    """
    trunk = build_resnet18(image_shape, depth)
    outputs = {
        name: layers.Activation("linear", name=name)(features)
        for name, features in trunk.output.items()
    }
    heads = latent_heads(outputs[f"features_{depth}"], latent, latent_dim)
    return keras.Model(trunk.input, {**outputs, **heads}, name="encoder")


def load_resnet_encoder(encoder: keras.Model, path: str | PathLike) -> None:
    """Sets the trunk of an encoder from a file of torchvision's ResNet-18.

    Raises:
        InputError: If the file cannot be read, or is of another kind.
    """
    # The heads of the latent code are not in the file.
    last = encoder.get_layer("z_mean").input
    load_resnet18_weights(keras.Model(encoder.input, last), path)


def build_residual_decoder(
    image_shape: Sequence[int], latent: str, latent_dim: int, filters: int, depth: int
) -> keras.Model:
    """Builds the network from a latent code to an image, of residual blocks.

    Each block doubles the resolution: batch normalization, ReLU, upsampling, 3x3 convolution,
    batch normalization, ReLU, 3x3 convolution, in parallel with an upsampled 1x1 convolution.

    Args:
        image_shape: `(height, width, channels)`.
        latent: `"conv"` or `"dense"`, as the encoder's.
        latent_dim: int. Channels of the code.
        filters: int. Channels at half the image's resolution; doubled at each coarser one, up to
            8x, and halved at the finest.
        depth: int. Number of doublings.

    Returns:
        decoder: model from the code to float32 `(batch, *image_shape)` in [0, 1].

    Reference: Brock et al., "Large Scale GAN Training for High Fidelity Natural Image Synthesis",
    ICLR 2019, appendix B. Departures: a single plain code (no class conditioning, no pieces of it
    at each block), no self-attention, a sigmoid at the end; the 1x1 convolution runs before the
    upsampling, which gives the same result for nearest neighbours at a quarter of the cost.
    """
    sizes = halved_sizes(*image_shape[:2], depth)
    inputs, x = cells_of_code(latent, latent_dim, *sizes[-1], filters * min(2 ** (depth - 1), 8))
    for level in range(depth - 1, -1, -1):
        channels = filters * min(2 ** (level - 1), 8) if level else max(1, filters // 2)
        x = _upsampling_block(x, channels, sizes[level], level)
    x = _activated(x, "output")
    x = layers.Conv2D(image_shape[-1], 3, padding="same", name="output_conv")(x)
    outputs = layers.Activation("sigmoid", dtype="float32", name="reconstruction")(x)
    return keras.Model(inputs, outputs, name="decoder")


def _upsampling_block(x, channels, size, level):
    shortcut = layers.Conv2D(channels, 1, name=f"shortcut_{level}")(x)
    shortcut = _doubled(shortcut, size, f"shortcut_{level}")
    x = _activated(x, f"{level}_0")
    x = _doubled(x, size, f"{level}")
    x = layers.Conv2D(channels, 3, padding="same", name=f"conv_{level}_0")(x)
    x = _activated(x, f"{level}_1")
    x = layers.Conv2D(channels, 3, padding="same", name=f"conv_{level}_1")(x)
    return layers.Add(name=f"block_{level}")([shortcut, x])


def _activated(x, name):
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"norm_{name}")(x)
    return layers.ReLU(name=f"relu_{name}")(x)


def _doubled(x, size, name):
    x = layers.UpSampling2D(2, interpolation="nearest", name=f"double_{name}")(x)
    surplus = [doubled - wanted for doubled, wanted in zip(x.shape[1:3], size, strict=True)]
    if any(surplus):
        x = layers.Cropping2D(((0, surplus[0]), (0, surplus[1])), name=f"crop_{name}")(x)
    return x
