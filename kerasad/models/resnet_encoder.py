"""The encoder of a ResNet-18 trunk."""

from collections.abc import Sequence
from os import PathLike

import keras
from keras import layers

from kerasad.backbones import build_resnet18
from kerasad.backbones.resnet18 import load_resnet18_weights
from kerasad.models.networks import latent_heads


def build_resnet_encoder(
    image_shape: Sequence[int], latent: str, latent_dim: int, depth: int
) -> keras.Model:
    """Builds a ResNet-18 from an image to the mean and log-variance of its latent code.

    Args:
        image_shape: `(height, width, 3)`.
        latent: `"conv"` or `"dense"`, as of `build_encoder`.
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
        InputError: If the file cannot be read, or is no such file.
    """
    # The heads of the latent code are not in the file.
    last = encoder.get_layer("z_mean").input
    load_resnet18_weights(keras.Model(encoder.input, last), path)
