"""ResNet-18 as a functional Keras model that takes torchvision's weights."""

from collections.abc import Sequence
from pathlib import Path

import keras
from keras import layers

from kerasad.backbones.torch_file import TORCHVISION_RESNET18, read_torch_tensors
from kerasad.backbones.torch_weights import assign_torch_weights
from kerasad.errors import check_choice, checked_image_shape

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
_STAGE_CHANNELS = (64, 128, 256, 512)


def build_resnet18(
    image_shape: Sequence[int | None],
    depth: int = 5,
    weights: str | Path | None = None,
    name: str = "resnet18",
) -> keras.Model:
    """Builds the convolutions of ResNet-18, from an image to its features at each resolution.

    The halvings are, in this order, the stem, the max pooling before `layer1`, and the first
    convolutions of `layer2`, `layer3` and `layer4`. With fewer halvings all layers stay: the later
    ones have stride 1 (and no dilation), so that the same weights fit at any depth.

    Args:
        image_shape: `(height, width, 3)`; a side may be None. A side of n pixels is halved to
            ceil(n / 2).
        depth: int in 2..5. Number of halvings.
        weights: None (random), or the path of one of torchvision's files `resnet18-f37072fd.pth`
            and `resnet18-5c106cde.pth`; for any other file see `load_resnet18_weights`.
        name: str. Name of the model.

    Returns:
        trunk: model from images `(batch, *image_shape)` in [0, 1] to a dict of `features_1` ...
        `features_<depth>`: the last activation after each halving, `(batch, h, w, c)` >= 0.
        `features_<depth>` has 512 channels; at depth 5 the others have 64, 64, 128 and 256. The
        output of each stage is the layer `layer1` ... `layer4`.

    Raises:
        InputError: For another `image_shape` or `depth`, or for `weights` that cannot be read or do
            not fit.

    Reference: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; the layout and
    names of torchvision. Average pooling and classifier are left out.
    """
    image_shape = checked_image_shape(image_shape)
    check_choice("depth", depth, (2, 3, 4, 5))
    inputs = keras.Input(image_shape, name="images")
    # Full precision: the differences between dark pixels are smaller than a half-precision step.
    x = layers.Rescaling(
        [1 / deviation for deviation in _IMAGENET_DEVIATION],
        [-mean / dev for mean, dev in zip(_IMAGENET_MEAN, _IMAGENET_DEVIATION, strict=True)],
        dtype="float32",
        name="imagenet",
    )(inputs)
    x = _normalized_conv(x, 64, 7, 2, "conv1", "bn1")
    x = layers.ReLU(name="relu")(x)
    outputs = {"features_1": x}
    # Zeros serve as PyTorch's -inf: after a ReLU nothing is smaller.
    x = layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="maxpool")(x)
    level = 2
    for stage, channels in enumerate(_STAGE_CHANNELS, start=1):
        halves = stage > 1 and level < depth
        level += halves
        block = f"layer{stage}_0"
        x = _residual_block(x, channels, 2 if halves else 1, block, block, shortcut=stage > 1)
        x = _residual_block(x, channels, 1, f"layer{stage}_1", f"layer{stage}")
        outputs[f"features_{level}"] = x
    trunk = keras.Model(inputs, outputs, name=name)
    if weights is not None:
        load_resnet18_weights(trunk, weights)
    return trunk


def load_resnet18_weights(
    trunk: keras.Model, path: str | Path, sha256: str | Sequence[str] = TORCHVISION_RESNET18
) -> None:
    """Sets every weight of a ResNet-18 from a file in torchvision's format.

    Args:
        trunk: model from `build_resnet18`, of any depth.
        path: A PyTorch file (`.pth`) with torchvision's names. The classifier `fc` is ignored.
        sha256: The file's digest, see `read_torch_tensors`. Defaults to torchvision's files.

    Raises:
        InputError: If the file is not one of these, can't be read, or does not fit the trunk.
    """
    tensors = read_torch_tensors(path, sha256=sha256)
    assign_torch_weights(trunk, tensors, str(path), _torch_name, ignored=("fc.",))


def _torch_name(layer_name: str) -> str:
    return layer_name.replace("_", ".")


def _residual_block(x, channels, strides, block, output_name, shortcut=False):
    y = _normalized_conv(x, channels, 3, strides, f"{block}_conv1", f"{block}_bn1")
    y = layers.ReLU(name=f"{block}_relu")(y)
    y = _normalized_conv(y, channels, 3, 1, f"{block}_conv2", f"{block}_bn2")
    if shortcut:
        names = (f"{block}_downsample_0", f"{block}_downsample_1")
        x = _normalized_conv(x, channels, 1, strides, *names)
    x = layers.Add(name=f"{block}_add")([x, y])
    return layers.ReLU(name=output_name)(x)


def _normalized_conv(x, channels, kernel_size, strides, name, norm_name):
    # PyTorch pads both ends alike; "same" of a strided Keras convolution favours the far one.
    if strides > 1 and kernel_size > 1:
        x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        channels,
        kernel_size,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"),
        name=name,
    )(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=norm_name)(x)
