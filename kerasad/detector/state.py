"""Variables that belong to a layer's state and that no training changes."""

import numpy as np
from keras import ops


def add_state(layer, name: str, shape=(), value=0.0, dtype: str = "float32"):
    """Returns a new variable of a layer, of one dtype under every policy; arrays are broadcast."""

    def initial(shape, dtype):  # `keras.initializers.Constant` would round a float64
        return ops.convert_to_tensor(np.broadcast_to(value, shape), dtype)

    options = {"trainable": False, "autocast": False}
    return layer.add_weight(tuple(shape), initial, dtype=dtype, name=name, **options)
