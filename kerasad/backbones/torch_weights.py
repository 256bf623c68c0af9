"""Gives a Keras network the weights of its PyTorch twin."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from kerasad.errors import InputError

_PARTS = {
    layers.Conv2D: {"kernel": "weight", "bias": "bias"},
    layers.DepthwiseConv2D: {"kernel": "weight", "bias": "bias"},
    layers.Dense: {"kernel": "weight", "bias": "bias"},
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
        network: functional model of convolutions (of all channels or depthwise), dense layers and
            batch normalizations, among layers without variables.
        tensors: name -> array, in PyTorch's axes, such as `layer1.0.conv1.weight` `(out, in,
            height, width)` or `bn1.running_var` `(channels,)`.
        source: str. What to call the tensors' origin in errors.
        torch_name: function from a layer's name to its module's, such as `layer1.0.conv1`.
        ignored: prefixes of the names of tensors to leave out. The counters `num_batches_tracked`
            are always left out.

    Raises:
        InputError: If a tensor is missing, left over, of another shape, not of floating point or
            not finite, or a variable of the network has no counterpart. Nothing is set then.
    """
    slots = _slots(network, torch_name)
    expected = {
        name
        for name in tensors
        if not name.endswith(".num_batches_tracked") and not name.startswith(tuple(ignored))
    }
    missing, surplus = sorted(set(slots) - expected), sorted(expected - set(slots))
    if missing or surplus:
        raise InputError(
            f"{source} does not fit the network {network.name!r}: {_listed(missing)} missing, and "
            f"{_listed(surplus)} unknown; pass the weights of the same network."
        )
    values = {name: _value(name, tensors[name], slots[name], source) for name in slots}
    for name, slot in slots.items():
        slot.variable.assign(values[name])


class _Slot(NamedTuple):
    """A variable, the shape of its tensor, and a function from the tensor's axes to its own."""

    variable: keras.Variable
    torch_shape: tuple[int, ...]
    to_keras: Callable[[np.ndarray], np.ndarray]


def _slots(network, torch_name) -> dict[str, _Slot]:
    """Returns all variables of a network by the names of their tensors."""
    slots = {}
    for layer in network.layers:
        for kind, parts in _PARTS.items():
            if isinstance(layer, kind):
                for attribute, part in parts.items():
                    variable = getattr(layer, attribute)
                    if variable is not None:
                        slots[f"{torch_name(layer.name)}.{part}"] = _slot(kind, variable)
    reached = {id(slot.variable) for slot in slots.values()}
    left_out = [variable.path for variable in network.weights if id(variable) not in reached]
    if left_out:
        raise InputError(
            f"The network {network.name!r} has variables that no PyTorch module holds: "
            f"{_shortened(left_out)}."
        )
    return slots


def _slot(kind, variable) -> _Slot:
    shape = tuple(variable.shape)
    if len(shape) == 1:
        return _Slot(variable, shape, lambda tensor: tensor)
    if kind is layers.Dense:  # (out, in) -> (in, out)
        return _Slot(variable, shape[::-1], np.transpose)
    height, width, inputs, outputs = shape
    if kind is layers.DepthwiseConv2D:
        # (in * multiplier, 1, height, width) -> (height, width, in, multiplier)
        return _Slot(
            variable,
            (inputs * outputs, 1, height, width),
            lambda tensor: tensor.reshape(inputs, outputs, height, width).transpose(2, 3, 0, 1),
        )
    # (out, in, height, width) -> (height, width, in, out)
    return _Slot(
        variable, (outputs, inputs, height, width), lambda tensor: tensor.transpose(2, 3, 1, 0)
    )


def _value(name, tensor, slot, source) -> np.ndarray:
    if tensor.shape != slot.torch_shape:
        raise InputError(
            f"{source} holds {name} in the shape {tensor.shape}, and {slot.torch_shape} was "
            "expected; pass the weights of the same network."
        )
    if tensor.dtype.kind != "f" or not np.isfinite(tensor).all():
        raise InputError(
            f"{source} holds {name} with values that are not finite floating-point numbers; pass "
            "the weights of the same network."
        )
    return slot.to_keras(tensor).astype("float32")


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "nothing is"
    return f"{_shortened(names)} {'is' if len(names) == 1 else 'are'}"


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
