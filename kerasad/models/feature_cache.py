"""The features of good images, computed once for a whole training."""

import math

import numpy as np
import tensorflow as tf

from kerasad.data.category import Category
from kerasad.data.geometry import unpack_inputs
from kerasad.models.feature_view import FeatureStatistics
from kerasad.tracing import compiled

# Values of half precision end here.
_LARGEST = 65504.0


def cache_features(model, category: Category) -> tf.Variable | None:
    """Computes the backbone's features of all training images, if they fit in memory.

    The same pass measures mean and deviation of each channel, so that `adapt` has nothing to do.
    The features are kept in half precision: they are what the decoder is to restore, and rounding
    them (by 0.05 %) is less than the noise of one training step.

    Args:
        model: `VAEGAN` on a backbone.
        category: `Category`.

    Returns:
        features: float16 variable, a row for each image, for `Category.train_from`; or None where
        images are cut into crops, or the memory that decoded images leave is too small.
    """
    shape = (len(category.split.train), *model.view.grid, sum(model.view.scales))
    if category.crop_size is not None or 2 * math.prod(shape) > category.bytes_left_by_train:
        return None
    raw_features = compiled(model.view.raw_features, reduce_retracing=True)
    statistics = FeatureStatistics()
    with tf.device("CPU:0"):
        empty = tf.raw_ops.Empty(shape=shape, dtype=tf.float16, init=False)
        cache = tf.Variable(empty, trainable=False, name="feature_cache")
    start = 0
    for inputs in category.train_in_order:
        features = np.asarray(raw_features(*unpack_inputs(inputs)))
        statistics.update(features)
        rounded = np.clip(features, -_LARGEST, _LARGEST).astype("float16")
        cache[start : start + len(features)].assign(rounded)
        start += len(features)
    statistics.assign_to(model.view)
    return cache
