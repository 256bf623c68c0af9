"""Variables that belong to a layer's state and that no training changes."""

import numpy as np
from keras import ops


def add_state(layer, name: str, shape=(), value=0.0, dtype: str = "float32"):
    """Returns a new variable of a layer, of the same type under every precision policy.

    Args:
        layer: `keras.layers.Layer`.
        name: str.
        shape: tuple of ints.
        value: number or array that can be broadcast to the shape.
        dtype: str.
    """

    def initial(shape, dtype):  # `keras.initializers.Constant` would round a float64
        return ops.convert_to_tensor(np.broadcast_to(value, shape), dtype)

    options = {"trainable": False, "autocast": False}
    return layer.add_weight(tuple(shape), initial, dtype=dtype, name=name, **options)
