"""Takes batch normalization out of a network that will not be trained."""

import keras
import numpy as np
from keras import layers

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D)


def fold_batch_normalization(network: keras.Model) -> keras.Model:
    """Puts each batch normalization that follows a convolution into the convolution's weights.

    With kernel k, bias b (0 if there is none), and the normalization's scale gamma, offset beta,
    moving mean mu and variance v: k' = k * s, b' = (b - mu) * s + beta, s = gamma / sqrt(v + eps).
    TensorFlow does not do so by itself while weights are variables.

    Args:
        network: functional model of layers that are called once.

    Returns:
        network: model of the same name, inputs and outputs (but for rounding, and at inference),
        with weights of its own and without the normalizations that were folded. One that follows
        something else, or a convolution that others read too, stays.
    """
    convolutions = _normalized_convolutions(network)
    changed = {layer.name for layer in convolutions.values()}

    def clone(layer):
        if layer.name in convolutions:
            return layer  # for `call`, which leaves it out
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
    """The convolution that each batch normalization can be folded into, by the latter's name."""
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
        # Its channels are the last two axes: the input's, and how many are made of each.
        kernel = kernel * scale.reshape(kernel.shape[2:])
    else:
        kernel = kernel * scale
    return [kernel, bias]
