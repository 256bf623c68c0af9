"""Mean and deviation of features over good images, in constant memory."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from kerasad.errors import InputError

_BATCH = 16


class FeatureStatistics:
    """Mean and deviation of each channel, from batches of raw features."""

    def __init__(self):
        self.num_images = 0
        self._count = 0
        self._sum, self._squares, self._origin = 0.0, 0.0, None

    def update(self, features: np.ndarray) -> None:
        """Adds a batch, `(batch, h, w, channels)`."""
        cells = np.asarray(features).reshape(-1, features.shape[-1]).astype("float64")
        if self._origin is None:  # sums of squares about 0 would lose digits
            self._origin = cells.mean(axis=0)
        cells = cells - self._origin
        self._count += len(cells)
        self.num_images += len(features)
        self._sum = self._sum + cells.sum(axis=0)
        self._squares = self._squares + np.square(cells).sum(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """The mean of each channel, `(channels,)`."""
        return self._origin + self._sum / self._count

    @property
    def deviation(self) -> np.ndarray:
        """The standard deviation of each channel, `(channels,)`."""
        variance = self._squares / self._count - (self._sum / self._count) ** 2
        return np.sqrt(np.maximum(variance, 0.0))


def batches_of(data) -> Iterator:
    """Yields the model inputs of a dataset, or of arrays cut into batches.

    Raises:
        InputError: If `data` can be read only once, so that `fit` would miss what is read here.
    """
    if isinstance(data, np.ndarray | tf.Tensor | dict):
        data = tf.data.Dataset.from_tensor_slices(data).batch(_BATCH)
    if not hasattr(data, "__iter__") or iter(data) is data:
        raise InputError(
            "The images are read once to measure their features and once more to train: give "
            f"arrays, or a dataset that starts anew each time. Received: {type(data)}"
        )
    for element in data:
        yield keras.utils.unpack_x_y_sample_weight(element)[0]
