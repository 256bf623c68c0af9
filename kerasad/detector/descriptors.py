"""A few numbers that say what an image looks like to a model, to detect drift by."""

import keras
import numpy as np
from keras import ops

from kerasad.layers.cells import valid_cells
from kerasad.precision import add_state

TENSORS = ("features", "encoder_features", "images")
"""What descriptors are made of: the first of these that a model has."""


@keras.saving.register_keras_serializable(package="kerasad")
class CalibrationDescriptors(keras.layers.Layer):
    """The descriptors of a detector's calibration images, as state of a fixed size.

    A descriptor is the mean and the standard deviation of each channel of a tensor over all cells
    of an image; `ExpertMaps.describe` computes it. At most `width` of these numbers and `capacity`
    images are kept. Which ones is a random draw that does not depend on their values, so kept
    descriptors of two sets of images differ only where the sets do.

    Args:
        tensor: str. Name of the model's tensor; `"images"` if it has none of the others.
        size: int. Numbers in a descriptor.
        width: int. Numbers kept of it.
        capacity: int. Images kept.
    """

    def __init__(self, tensor: str, size: int, width: int = 256, capacity: int = 512, **kwargs):
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.tensor = tensor
        self.size = size
        self.width = width
        self.capacity = capacity

    def build(self, input_shape=None):
        """Creates room for the descriptors."""
        self.values = add_state(self, "values", (self.capacity, min(self.width, self.size)))
        self.count = add_state(self, "count")

    def choose(self, descriptors: np.ndarray) -> np.ndarray:
        """Returns what is kept of descriptors `(images, size)`, float32."""
        rows = _draw(len(descriptors), self.capacity, seed=1)
        columns = _draw(self.size, self.width, seed=0)
        return np.asarray(descriptors, "float32")[np.ix_(rows, columns)]

    def keep(self, descriptors: np.ndarray) -> None:
        """Replaces the stored descriptors by `choose` of others."""
        kept = self.choose(descriptors)
        padded = np.zeros(self.values.shape, "float32")
        padded[: len(kept)] = kept
        self.values.assign(padded)
        self.count.assign(float(len(kept)))

    def forget(self) -> None:
        """Drops the stored descriptors."""
        self.count.assign(0.0)

    def stored(self) -> np.ndarray:
        """Returns the stored descriptors, float32 `(images, numbers)`."""
        return np.asarray(self.values)[: int(self.count)]

    def get_config(self):
        """Returns the arguments of `__init__`."""
        own = {name: getattr(self, name) for name in ("tensor", "size", "width", "capacity")}
        return {**super().get_config(), **own}


def make_descriptors(shapes: dict) -> CalibrationDescriptors:
    """Returns the built descriptors of a model with tensors of these shapes, of no image yet."""
    tensor = next((name for name in TENSORS if name in shapes), TENSORS[-1])
    channels = shapes[tensor][-1] if tensor in shapes else 3
    descriptors = CalibrationDescriptors(tensor, 2 * channels, dtype="float32")
    descriptors.build()
    return descriptors


def sum_cells(cells, valid=None) -> list:
    """Returns, for each image, the number of cells, the sum of their values and of the squares.

    The sums of all tiles of an image may be added up. Cells that do not count, by `valid` at the
    resolution of the images, are left out, see `valid_cells`.
    """
    cells = ops.cast(cells, "float32")
    weights = valid_cells(valid, cells)[..., None]
    values = (weights, weights * cells, weights * cells * cells)
    return [ops.sum(value, axis=(1, 2)) for value in values]


def describe_sums(sums):
    """Returns the descriptors `(batch, 2 * channels)` of the sums of `sum_cells`, means first."""
    count, total, squares = sums
    count = ops.maximum(count, 1.0)
    mean = total / count
    variance = ops.maximum(squares / count - mean * mean, 0.0)
    return ops.concatenate([mean, ops.sqrt(variance)], axis=-1)


def _draw(total: int, count: int, seed: int) -> np.ndarray:
    """Returns `count` of the numbers below `total`, rising; all of them if there are no more."""
    if total <= count:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).permutation(total)[:count])
