"""What networks on features see in training, computed once: images clean and under damage.

The backbone takes most of a training step. It never changes, so it has to see each image only once,
and each damaged copy. A few copies are enough, see `benchmarks/RESULTS.md`.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.models.base import TrainingBatch
from kerasad.models.feature_view import FeatureStatistics, FeatureView
from kerasad.models.sampled_cells import touched_cells
from kerasad.tracing import compiled_for_batches

COPIES = 3
"""Damaged copies of each image, unless there is no room."""
DAMAGED_IMAGES = 400
"""Damaged copies of all images together: of few images there are more copies each."""


def precompute_features(
    view: FeatureView, defects: keras.layers.Layer, data, num_images: int, max_bytes: int
) -> dict[str, tf.Variable] | None:
    """Returns raw features of images and of damaged copies; measures means and deviations.

    They are in half precision. That is enough: features are what a decoder is to restore, and
    rounding them (by 0.05 %) is less than the noise of one training step.

    Args:
        view: `FeatureView`, whose statistics become those of the images.
        defects: `TrainingDefects`.
        data, num_images, max_bytes: as in `AnomalyModel.precompute`.

    Returns:
        dict of variables with a row for each image: `features` `(n, 1, h, w, channels)`; and, if
        there is room for a copy, `damaged_features` `(n, copies, h, w, channels)`, `damage` `(n,
        copies, h, w, 1)`, the share of each cell that is damaged, and `family` `(n, copies)`. None
        if there is no room for `features`.
    """
    channels = sum(view.scales)
    bytes_of_copy = tf.float16.size * math.prod(view.grid) * (channels + 1) * num_images
    copies = min(max(COPIES, -(-DAMAGED_IMAGES // num_images)), max_bytes // bytes_of_copy - 1)
    if copies < 0:
        return None
    rows = {"features": _empty((num_images, 1, *view.grid, channels))}
    if copies:
        rows["damaged_features"] = _empty((num_images, copies, *view.grid, channels))
        rows["damage"] = _empty((num_images, copies, *view.grid, 1))
        rows["family"] = _empty((num_images, copies), tf.int32)
    raw_features = compiled_for_batches(view.raw_features)
    damage = compiled_for_batches(lambda images, valid: _damage(view, defects, images, valid))
    statistics, start = FeatureStatistics(), 0
    for inputs in data:
        images, valid = unpack_inputs(inputs)
        clean = np.asarray(raw_features(images, valid))
        statistics.update(clean, view.counts(valid))
        part = slice(start, start + len(clean))
        rows["features"][part, 0].assign(_rounded(clean))
        for copy in range(copies):
            for name, values in damage(images, valid).items():
                rows[name][part, copy].assign(_rounded(values))
        start += len(clean)
    view.set_statistics(statistics)
    return rows


def precomputed_batch(view: FeatureView, inputs: dict) -> TrainingBatch:
    """Returns the batch of images that come with all that `precompute_features` finds of them."""
    images, valid = unpack_inputs(inputs)
    return TrainingBatch(
        images,
        valid,
        inputs=view.standardize(inputs["damaged_features"]),
        target=view.standardize(inputs["features"]),
        mask=touched_cells(tf.cast(inputs["damage"], tf.float32)),
        family=inputs["family"],
        valid=view.region(valid),
    )


def _damage(view, defects, images, valid):
    damaged, mask, family = defects(images, valid=valid, training=True)
    return {
        "damaged_features": view.raw_features(damaged, valid),
        "damage": view.align_mask(mask, valid),
        "family": family,
    }


def _empty(shape, dtype=tf.float16):
    with tf.device("CPU:0"):  # not in the memory of a GPU
        values = tf.raw_ops.Empty(shape=shape, dtype=dtype, init=False)
        return tf.Variable(values, trainable=False, name="precomputed")


def _rounded(values):
    """Returns floats in half precision, and integers as they are."""
    values = np.asarray(values)
    if values.dtype.kind != "f":
        return values
    return np.clip(values, tf.float16.min, tf.float16.max).astype("float16")
