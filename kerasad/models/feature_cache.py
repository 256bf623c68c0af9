"""The features of good images, computed once for a whole training."""

import tensorflow as tf

from kerasad.data.category import Category


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
    if category.crop_size is not None:
        return None
    count = len(category.split.train)
    return model.view.precompute(category.train_in_order, count, category.bytes_left_by_train)
