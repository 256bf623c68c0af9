"""Dtypes: the policy that new layers get, and state that no policy changes."""

import contextlib

import keras
import numpy as np
from keras import ops


@contextlib.contextmanager
def dtype_policy_scope(policy):
    """Makes `policy` (a name or a `keras.DTypePolicy`) the default of layers made in the scope."""
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


def add_state(layer, name: str, shape=(), value=0.0, dtype: str = "float32"):
    """Returns a new variable of a layer, of one dtype under every policy; arrays are broadcast."""

    def initial(shape, dtype):  # `keras.initializers.Constant` would round a float64
        return ops.convert_to_tensor(np.broadcast_to(value, shape), dtype)

    options = {"trainable": False, "autocast": False}
    return layer.add_weight(tuple(shape), initial, dtype=dtype, name=name, **options)
