"""Means that leave out what does not count."""

from keras import ops


def weighted_mean(values, weights=None):
    """Returns the mean of all values, with weights of as many elements or None; 0 without any."""
    if weights is None:
        return ops.mean(values)
    weights = ops.reshape(weights, ops.shape(values))
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1e-12)


def mean_of_image(values, weights=None):
    """Returns each image's mean of `(batch, height, width, 1)` values, weighted if asked."""
    if weights is None:
        return ops.mean(values, axis=(1, 2, 3))
    weights = ops.cast(weights, "float32")
    total = ops.sum(weights, axis=(1, 2, 3))
    return ops.sum(values * weights, axis=(1, 2, 3)) / ops.maximum(total, 1e-12)


def mean_over_images(values, valid=None):
    """Returns the mean of `(batch,)` values over the images that have a real pixel.

    Args:
        values: float tensor `(batch,)`.
        valid: float tensor `(batch, height, width, 1)`, 0 where nothing counts, or None.
    """
    if valid is None:
        return ops.mean(values)
    some = ops.cast(ops.max(valid, axis=(1, 2, 3)) > 0, "float32")
    return ops.sum(values * some) / ops.maximum(ops.sum(some), 1.0)
