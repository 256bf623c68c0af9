"""Folds batch normalization into convolutions, for networks that are not trained."""

import keras
import numpy as np
from keras import layers

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
