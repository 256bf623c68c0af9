"""Gaussian smoothing of maps."""

import math

import keras
import numpy as np
from keras import ops

from kerasad.errors import InputError, check_at_least


@keras.saving.register_keras_serializable(package="kerasad")
class GaussianBlur(keras.layers.Layer):
    """Smooths each channel with a Gaussian window, mirrored at the border.

    Args:
        sigma: float >= 0. Standard deviation in pixels; 0 returns the input.
        truncate: float > 0. Half width of the window in units of `sigma`.

    Call arguments:
        maps: float tensor `(batch, height, width, channels)`.

    Returns:
        smoothed: float tensor of the same shape.

    Raises:
        InputError: For a negative `sigma`, or a `truncate` that is not positive.
    """

    def __init__(self, sigma: float, truncate: float = 3.0, **kwargs):
        super().__init__(**{"trainable": False, **kwargs})
        check_at_least("sigma", sigma, 0.0)
        if not truncate > 0:
            raise InputError(f"`truncate` must be positive. Received: {truncate!r}")
        self.sigma = float(sigma)
        self.truncate = float(truncate)

    def call(self, maps):
        """Returns smoothed maps; see the class."""
        if self.sigma == 0.0:
            return maps
        maps = self._blur_axis(maps, axis=1)
        return self._blur_axis(maps, axis=2)

    def _blur_axis(self, maps, axis):
        length = maps.shape[axis]
        # A mirror cannot reach further than the picture itself.
        radius = min(math.ceil(self.truncate * self.sigma), length - 1)
        offsets = np.arange(-radius, radius + 1)
        window = np.exp(-0.5 * (offsets / self.sigma) ** 2)
        return filter_axis(maps, window / window.sum(), axis, mode="reflect")

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return input_shape

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "sigma": self.sigma, "truncate": self.truncate}


def filter_axis(maps, window: np.ndarray, axis: int, mode: str):
    """Returns maps filtered along one axis, each channel on its own.

    Args:
        maps: float tensor `(batch, height, width, channels)`.
        window: float array of odd length.
        axis: 1 (down) or 2 (across).
        mode: `"reflect"` or `"symmetric"`, the mirror at the border, as in `keras.ops.pad`.

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
