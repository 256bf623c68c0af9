"""Images as `fit` takes them, arrays or datasets, as batches that are what a detector reads."""

import os
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.errors import InputError, check_whole

TOLERANCE = 0.001
"""How far values may be outside [0, 1], as `assert_unit_range` says."""


def as_batches(data, name: str, batch_size: int = 32, check_values: bool = True) -> "Batches":
    """Returns images as an iterable of batches, which raises an `InputError` for unusable ones.

    Args:
        data: inputs (an array, or a dict of `images` and `valid`), a tuple of inputs and targets,
            or a dataset of batches of these: a `tf.data.Dataset`, a `PyDataset` or another
            iterable.
        name: str. The argument, for messages.
        batch_size: int. Of arrays; a dataset has its own.
        check_values: bool. Whether to read all values; else only `call` refuses those out of range.

    Raises:
        InputError: `data` is something else, or its images are.
    """
    if isinstance(data, Batches):
        return data
    check_whole("batch_size", batch_size, 1)
    if _is_inputs(data[0] if isinstance(data, tuple) and data else data):
        return Batches(ArrayBatches(data, name, batch_size), name, check_values)
    if isinstance(data, keras.utils.PyDataset):
        return Batches(PyDatasetBatches(data), name, check_values)
    if isinstance(data, tf.data.Dataset) and data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise InputError(f"`{name}` never ends: leave out `repeat()`, each image counts once.")
    if isinstance(data, str | bytes | os.PathLike) or not isinstance(data, Iterable):
        raise InputError(
            f"`{name}` must be an array of images, a dict of arrays, or a dataset of batches. "
            f"Received: {type(data).__name__}; `kerasad.data.load_category` makes such datasets."
        )
    return Batches(data, name, check_values)


class Batches:
    """Batches of inputs, or of tuples that begin with them; images become float32.

    Args:
        elements: iterable.
        name, check_values: as in `as_batches`.
    """

    def __init__(self, elements, name: str, check_values: bool):
        self._elements = elements
        self._options = (name, check_values)

    def __len__(self) -> int:
        return len(self._elements)

    def __iter__(self):
        for element in self._elements:
            if isinstance(element, tuple):
                yield check_inputs(element[0], *self._options), *element[1:]
            else:
                yield check_inputs(element, *self._options)


class ArrayBatches:
    """Arrays of one length, in a dict or a tuple, cut into batches.

    Args:
        data: inputs, or a tuple of inputs and targets.
        name: str. The argument, for messages.
        batch_size: int.
    """

    def __init__(self, data, name: str, batch_size: int):
        self._data = keras.tree.map_structure(np.asarray, data)
        # Before they are cut: the rows of one image would pass for images.
        images = unpack_named(self._data[0] if isinstance(data, tuple) else self._data, name)[0]
        check_shape(f"`{name}`", images)
        lengths = [len(part) if part.ndim else 0 for part in keras.tree.flatten(self._data)]
        if len(set(lengths)) > 1:
            raise InputError(f"The arrays of `{name}` differ in length: {lengths}.")
        self._starts = range(0, len(images), batch_size)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self):
        for start in self._starts:
            rows = slice(start, start + self._starts.step)
            yield keras.tree.map_structure(lambda part, rows=rows: part[rows], self._data)


class PyDatasetBatches:
    """The batches of one epoch of a `PyDataset`, in order."""

    def __init__(self, dataset: keras.utils.PyDataset):
        self._dataset = dataset

    def __len__(self) -> int:
        return self._dataset.num_batches

    def __iter__(self):
        for index in range(len(self)):
            yield self._dataset[index]


def unpack_named(inputs, name: str) -> tuple:
    """Returns images and `valid` as `unpack_inputs`; an `InputError` names what lacks images."""
    if isinstance(inputs, dict) and "images" not in inputs:
        raise InputError(
            f"`{name}` has a dict without `images`; it has {', '.join(map(repr, inputs))}."
        )
    return unpack_inputs(inputs)


def check_inputs(inputs, name: str, check_values: bool = True):
    """Returns a batch of inputs with floats in float32.

    Raises:
        InputError: The images are not a batch of floats in [0, 1] with three channels, or `valid`
            does not fit them.
    """
    images, valid = unpack_named(inputs, name)
    if not _is_array(images):
        raise InputError(
            f"`{name}` must hold batches of images. Received: {type(images).__name__}; make one "
            "array of the images of a batch, as np.stack does."
        )
    check_shape(f"`{name}`", images)
    if valid is not None and tuple(valid.shape) != (*images.shape[:3], 1):
        raise InputError(
            f"`valid` of `{name}` must be {(*images.shape[:3], 1)}, as its images. Received: "
            f"{tuple(valid.shape)}"
        )
    if valid is not None and valid.dtype != "float32":
        valid = np.asarray(valid, "float32")
        inputs = pack_inputs(images, valid)
    pixels = np.asarray(images)
    if not np.issubdtype(pixels.dtype, np.floating):
        raise InputError(
            f"`{name}` must hold floats in [0, 1]. Received: {pixels.dtype}; divide by the largest "
            "value, such as 255."
        )
    if check_values:
        _check_range(pixels, name)
    if pixels.dtype == "float32":
        return inputs
    return pack_inputs(pixels.astype("float32"), valid)


def check_shape(name: str, images) -> None:
    """Raises an `InputError` unless images are (batch, height, width, 3)."""
    shape = tf.TensorShape(images.shape)
    if shape.rank == 4 and shape[-1] == 3:
        return
    last, hint = shape[-1] if shape.rank else None, ""
    if shape.rank is None or (shape.rank == 3 and last in (1, 3)):
        hint = "; that is one image: add the batch axis, as images[None], or batch the dataset"
    elif shape.rank == 4 and shape[1] == 3:
        hint = "; the channels come last"
    elif last == 4:
        hint = "; leave out the alpha channel"
    elif shape.rank in (3, 4):
        hint = "; repeat a grey channel three times"
    raise InputError(f"{name} must be (batch, height, width, 3). Received: {shape}{hint}.")


def check_arrays(x) -> None:
    """Raises an `InputError` for arrays without a batch axis or three channels.

    A graph would do so as well, but it no longer knows all of the shape.
    """
    if _is_inputs(x):
        check_shape("Images", unpack_named(x, "x")[0])


def _check_range(images, name):
    if not images.size:
        return
    low, high = float(images.min()), float(images.max())
    if not np.isfinite([low, high]).all():
        raise InputError(f"`{name}` has values that are not finite; check its images for NaN.")
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise InputError(
            f"`{name}` must be in [0, 1]. Received: {low:.4g} to {high:.4g}; divide pixels of 0 to "
            "255 by 255."
        )


def _is_array(data):
    return not isinstance(data, type) and hasattr(data, "__array__")


def _is_inputs(data):
    return _is_array(data) or isinstance(data, dict)
