"""Frozen backbones by name."""

from collections.abc import Sequence
from os import PathLike

import keras

from kerasad.backbones.efficientnet_lite0 import build_efficientnet_lite0
from kerasad.backbones.folding import fold_batch_normalization
from kerasad.backbones.image_shape import checked_image_shape
from kerasad.backbones.keras_application import (
    application_names,
    build_keras_application,
    last_at_strides,
)
from kerasad.backbones.resnet18 import build_resnet18
from kerasad.backbones.taps import select_taps, unknown_name
from kerasad.errors import InputError
from kerasad.precision import dtype_policy_scope

DEFAULT_TAPS = {
    "efficientnet_lite0": ("block_2", "block_4", "block_10"),
    "resnet18": ("features_2", "features_3", "features_4"),
}
_DEFAULT_STRIDES = (4, 8, 16)


def build_backbone(
    name: str,
    image_shape: Sequence[int | None],
    taps: Sequence[str] | None = None,
    weights: str | PathLike | None = "imagenet",
) -> keras.Model:
    """Builds a network that is not trained, from images to some of its features.

    It is built for inference: batch normalizations are folded into the convolutions before them,
    the others keep their statistics, and nothing after the last tap is computed. It computes in
    float32 under every dtype policy: experts measure small differences between features, and half
    precision rounds away those between dark pixels (bfloat16 has steps of half a grey level at
    black). An outer model with a mixed policy must pass it float32 images.

    Args:
        name: `"efficientnet_lite0"`, `"resnet18"`, or any model of `keras.applications`, such as
            `"MobileNetV2"`.
        image_shape: `(height, width, 3)`; a side may be None. Some models of `keras.applications`
            have a smallest size.
        taps: names of the features wanted. `block_0` ... `block_15` of EfficientNet-Lite0,
            `features_1` ... `features_5` of ResNet-18 (see `build_efficientnet_lite0` and
            `build_resnet18`), and the layers of the others. Defaults to None: the last features at
            1/4, 1/8 and 1/16 of the image, that is blocks 2, 4 and 10, or features 2, 3 and 4.
        weights: `"imagenet"`, None (random), or the path of a file. Those of EfficientNet-Lite0 are
            in a pip package, those of `keras.applications` are downloaded once by Keras. For
            ResNet-18 there is no `"imagenet"`, only the path of torchvision's file.

    Returns:
        backbone: model from images `(batch, *image_shape)` in [0, 1] to a dict of features `(batch,
        h, w, c)`, float32, in the order of `taps`; not trainable. It opens without kerasad.

    Raises:
        InputError: If the backbone or a tap does not exist (the message has the nearest names), the
            images are too small, or the weights are missing, cannot be read or do not fit.
    """
    known = [*DEFAULT_TAPS, *application_names()]
    if name not in known:
        raise InputError(unknown_name("There is no backbone", name, known))
    image_shape = checked_image_shape(image_shape)
    with dtype_policy_scope("float32"):
        if name in DEFAULT_TAPS:
            build = {"efficientnet_lite0": build_efficientnet_lite0, "resnet18": _build_resnet18}
            network = build[name](image_shape, weights=weights)
            tensors, default = network.output, DEFAULT_TAPS[name]
        else:
            network, tensors = build_keras_application(name, image_shape, weights)
            default = None
        if taps is None:
            taps = default or last_at_strides(network, tensors, _DEFAULT_STRIDES)
        backbone = fold_batch_normalization(select_taps(network, tensors, taps))
    backbone.trainable = False
    return backbone


def _build_resnet18(image_shape, weights) -> keras.Model:
    if weights == "imagenet":
        raise InputError(
            "resnet18 has no weights in a package; pass the path of torchvision's "
            "resnet18-f37072fd.pth or resnet18-5c106cde.pth as `weights`, or None for random ones."
        )
    return build_resnet18(image_shape, weights=weights)
