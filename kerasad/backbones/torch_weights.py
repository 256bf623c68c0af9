"""Gives a Keras network the weights of its PyTorch twin."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
from keras import layers

from kerasad.errors import InputError

# PyTorch keeps kernels as (out, in, height, width), Keras as (height, width, in, out).
_TO_KERAS, _TO_TORCH = (2, 3, 1, 0), (3, 2, 0, 1)
_PARTS = {
    layers.Conv2D: {"kernel": "weight", "bias": "bias"},
    layers.BatchNormalization: {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
}


def assign_torch_weights(
    network: keras.Model,
    tensors: Mapping[str, np.ndarray],
    source: str,
    torch_name: Callable[[str], str],
    ignored: Sequence[str] = (),
) -> None:
    """Sets every variable of a network, each exactly once, or none.

    Args:
        network: functional model of convolutions and batch normalizations, among layers without
            variables.
        tensors: name -> array, in PyTorch's axes, such as `layer1.0.conv1.weight` `(out, in,
            height, width)` or `bn1.running_var` `(channels,)`.
        source: str. What to call the tensors' origin in errors.
        torch_name: from a layer's name to its module's, such as `layer1.0.conv1`.
        ignored: beginnings of the names of tensors that the network does without. The counters
            `num_batches_tracked` always are.

    Raises:
        InputError: If a tensor is missing, left over, of another shape, not of floating point or
            not finite, or a variable of the network has no counterpart. Nothing is set then.
    """
    variables = _variables(network, torch_name)
    expected = {
        name
        for name in tensors
        if not name.endswith(".num_batches_tracked") and not name.startswith(tuple(ignored))
    }
    missing, surplus = sorted(set(variables) - expected), sorted(expected - set(variables))
    if missing or surplus:
        raise InputError(
            f"{source} does not fit the network {network.name!r}: {_listed(missing)} missing, and "
            f"{_listed(surplus)} unknown; pass the weights of the same network."
        )
    values = {name: _value(name, tensors[name], variables[name], source) for name in variables}
    for name, variable in variables.items():
        variable.assign(values[name])


def _variables(network, torch_name) -> dict[str, keras.Variable]:
    """All variables of a network by the names of their tensors."""
    variables = {}
    for layer in network.layers:
        for kind, parts in _PARTS.items():
            if isinstance(layer, kind):
                for attribute, part in parts.items():
                    variable = getattr(layer, attribute)
                    if variable is not None:
                        variables[f"{torch_name(layer.name)}.{part}"] = variable
    reached = {id(variable) for variable in variables.values()}
    left_out = [variable.path for variable in network.weights if id(variable) not in reached]
    if left_out:
        raise InputError(
            f"The network {network.name!r} has variables that no PyTorch module holds: "
            f"{_shortened(left_out)}."
        )
    return variables


def _value(name, tensor, variable, source) -> np.ndarray:
    value = np.transpose(tensor, _TO_KERAS) if tensor.ndim == 4 else tensor
    shape = tuple(variable.shape)
    if value.shape != shape:
        expected = tuple(shape[axis] for axis in _TO_TORCH) if len(shape) == 4 else shape
        raise InputError(
            f"{source} holds {name} in the shape {tensor.shape}, and {expected} was expected; pass "
            "the weights of the same network."
        )
    if value.dtype.kind != "f" or not np.isfinite(value).all():
        raise InputError(
            f"{source} holds {name} with values that are not finite floating-point numbers; pass "
            "the weights of the same network."
        )
    return value.astype("float32")


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "nothing is"
    return f"{_shortened(names)} {'is' if len(names) == 1 else 'are'}"


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
