"""One pass of a separable filter."""

import numpy as np
from keras import ops


def filter_axis(maps, window: np.ndarray, axis: int, mode: str):
    """Returns maps filtered along one axis, each channel for itself.

    Args:
        maps: float tensor `(batch, height, width, channels)`.
        window: float array of odd length.
        axis: 1 (down) or 2 (across).
        mode: `"reflect"` or `"symmetric"`, the mirror at the border, as of `keras.ops.pad`.

    Returns:
        filtered: float tensor of the same shape.
    """
    half = len(window) // 2
    padding = [[0, 0]] * 4
    padding[axis] = [half, half]
    maps = ops.pad(maps, padding, mode=mode)
    channels = maps.shape[-1]
    shape = (len(window), 1, 1, 1) if axis == 1 else (1, len(window), 1, 1)
    kernel = np.tile(window.astype("float32").reshape(shape), (1, 1, channels, 1))
    return ops.depthwise_conv(maps, ops.convert_to_tensor(kernel, dtype=maps.dtype), 1, "valid")
