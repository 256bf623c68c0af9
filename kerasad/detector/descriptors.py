"""What images look like to a model as a whole: a few numbers an image, to tell drift by."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.models.networks import downsampled_cells
from kerasad.tracing import compiled

TENSORS = ("features", "encoder_features", "images")
"""What descriptors are made of: the first of these that a model has."""


@keras.saving.register_keras_serializable(package="kerasad")
class CalibrationDescriptors(keras.layers.Layer):
    """The descriptors of a detector's calibration images, as state of a fixed size.

    A descriptor is the spatial mean and deviation of each channel of a tensor, see
    `describe_images`. Of more than `width` numbers so many are kept, drawn once; of more than
    `capacity` images so many, drawn by their place among the others. Neither draw depends on what
    is drawn, so that kept ones differ between two sets of images only where the sets do.

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
        options = {"trainable": False, "dtype": "float32", "autocast": False}
        kept = min(self.width, self.size)
        self.values = self.add_weight((self.capacity, kept), "zeros", name="values", **options)
        self.count = self.add_weight((), "zeros", name="count", **options)

    def choose(self, descriptors: np.ndarray) -> np.ndarray:
        """Returns what is kept of descriptors, float32.

        Args:
            descriptors: float array `(images, size)`.

        Returns:
            kept: float32 array `(at most capacity, at most width)`.
        """
        descriptors = np.asarray(descriptors, "float32")
        columns = _draw(self.size, self.width, seed=0)
        rows = _draw(len(descriptors), self.capacity, seed=1)
        return descriptors[np.ix_(rows, columns)]

    def assign(self, kept: np.ndarray) -> None:
        """Replaces the descriptors by others, as `choose` returns them."""
        padded = np.zeros(self.values.shape, "float32")
        padded[: len(kept)] = kept
        self.values.assign(padded)
        self.count.assign(float(len(kept)))

    def stored(self) -> np.ndarray:
        """Returns the descriptors, float32 `(images, numbers)`."""
        return np.asarray(self.values)[: int(self.count)]

    def get_config(self):
        """Returns the arguments of `__init__`."""
        own = {name: getattr(self, name) for name in ("tensor", "size", "width", "capacity")}
        return {**super().get_config(), **own}


def make_descriptors(shapes: dict) -> CalibrationDescriptors:
    """Returns the descriptors of a model, built, of no image yet.

    Args:
        shapes: dict from the names of a model's tensors to their shapes, channels last.
    """
    tensor = next((name for name in TENSORS if name in shapes), TENSORS[-1])
    channels = shapes[tensor][-1] if tensor in shapes else 3
    descriptors = CalibrationDescriptors(tensor, 2 * channels, dtype="float32")
    descriptors.build()
    return descriptors


def describe_images(detector, images, valid=None) -> np.ndarray:
    """Returns the descriptors of images: mean and deviation of each channel over all cells.

    Cells that are not of the picture alone are left out. Of an image in tiles, it is mean and
    deviation over the cells of all tiles.

    Args:
        detector: `AnomalyDetector`.
        images: float tensor `(batch, height, width, 3)` of the detector's size.
        valid: float tensor `(batch, height, width, 1)` or None, 0 where an image was padded.

    Returns:
        descriptors: float32 array `(batch, 2 * channels)`, means before deviations.
    """
    inputs = pack_inputs(tf.constant(images), None if valid is None else tf.constant(valid))
    return _compiled_descriptors(detector)(inputs).numpy()


def _compiled_descriptors(detector):
    """Returns the function from inputs to descriptors, traced once for each detector."""
    # Past Keras, which would track it as a part of the model.
    own = vars(detector)
    if "_compiled_descriptors" not in own:
        # In a graph, what these sums do not need of the model's other tensors is not computed.
        own["_compiled_descriptors"] = compiled(
            lambda inputs: _describe(detector, *unpack_inputs(inputs)), reduce_retracing=True
        )
    return own["_compiled_descriptors"]


def _describe(detector, images, valid):
    if detector.cell_grid is not None:  # aligned cells hold no padding
        sums = _cell_sums(detector, pack_inputs(images, valid), None)
    elif detector.tiles is None:
        sums = _cell_sums(detector, images, valid)
    else:
        valid = ops.ones_like(images[..., :1]) if valid is None else valid
        sums = tf.map_fn(
            lambda tile: _cell_sums(detector, *tile),
            (detector.tiles.cut(images), detector.tiles.cut(valid)),
            parallel_iterations=1,
            fn_output_signature=(tf.float32, tf.float32, tf.float32),
        )
        sums = [tf.reduce_sum(part, axis=0) for part in sums]
    count, total, squares = sums
    count = ops.maximum(count, 1.0)
    mean = total / count
    variance = ops.maximum(squares / count - mean * mean, 0.0)
    return ops.concatenate([mean, ops.sqrt(variance)], axis=-1)


def _cell_sums(detector, inputs, valid):
    """Returns the number of cells, the sum of their values and that of the squares, by image."""
    images, _ = unpack_inputs(inputs)
    cells = detector.model.tensors(inputs).get(detector.descriptors.tensor, images)
    cells = ops.cast(cells, "float32")
    weights = ops.ones_like(cells[..., :1])
    if valid is not None:
        weights = ops.cast(downsampled_cells(valid, *cells.shape[1:3]) > 0.999, "float32")
    axes = (1, 2)
    return (
        ops.sum(weights, axis=axes),
        ops.sum(weights * cells, axis=axes),
        ops.sum(weights * cells * cells, axis=axes),
    )


def _draw(total: int, count: int, seed: int) -> np.ndarray:
    """Places of `count` of `total` things, rising; all of them if there are no more."""
    if total <= count:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).permutation(total)[:count])
