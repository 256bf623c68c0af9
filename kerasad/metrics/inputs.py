"""What metrics make of their arguments before they count: aligned shapes, regions of masks."""

import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.errors import InputError


def align_inputs(y_true, y_pred, sample_weight=None):
    """Brings labels, scores and weights to one shape.

    Args:
        y_true: tensor of the shape of `y_pred`, up to a last axis of 1; above 0.5 = anomalous.
        y_pred: float tensor, for instance `(batch,)` or `(batch, height, width, 1)`.
        sample_weight: optional tensor >= 0 that broadcasts to `y_pred` from the left: one weight
            per image, or one per pixel such as `valid` (0 = padding, which is ignored).

    Returns:
        anomalous: bool tensor of the shape of `y_pred`.
        scores: float32 tensor.
        weights: float64 tensor of the same shape.

    Raises:
        InputError: If the shapes of `y_true` and `y_pred` differ.
    """
    scores = ops.cast(y_pred, "float32")
    shape = ops.shape(scores)
    y_true = _match_rank(ops.convert_to_tensor(y_true), len(shape))
    known = zip(y_true.shape, scores.shape, strict=False)
    clash = any(a != b for a, b in known if a is not None and b is not None)
    if len(y_true.shape) != len(shape) or clash:
        raise InputError(
            f"`y_true` has shape {tuple(y_true.shape)} and `y_pred` {tuple(scores.shape)}; "
            "give one label for each score."
        )
    if sample_weight is None:
        weights = ops.ones(shape, "float64")
    else:
        weights = _match_rank(ops.cast(sample_weight, "float64"), len(shape))
        weights = ops.broadcast_to(weights, shape)
    return ops.cast(y_true, "float32") > 0.5, scores, weights


def _match_rank(tensor, rank):
    while len(tensor.shape) < rank:
        tensor = ops.expand_dims(tensor, -1)
    while len(tensor.shape) > rank and tensor.shape[-1] == 1:
        tensor = ops.squeeze(tensor, -1)
    return tensor


def region_shares(anomalous, weights):
    """Returns `compute_region_shares` of tensors: float64 shares, float64 scalar count.

    Inside a `tf.function` it calls back to the host, which XLA cannot do.
    """
    shares, num_regions = tf.numpy_function(
        compute_region_shares, [anomalous, weights], [tf.float64, tf.float64], stateful=False
    )
    return tf.ensure_shape(shares, anomalous.shape), tf.ensure_shape(num_regions, [])


def compute_region_shares(anomalous: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Spreads a total of 1 over the pixels of each region.

    Regions are 8-connected (pixels that touch at a corner belong together) within one image. They
    consist of pixels whose weight is above 0: padding is part of no region and joins none.

    Args:
        anomalous: bool array `(batch, height, width)`, or with a last axis of 1.
        weights: float array of the same shape, >= 0.

    Returns:
        shares: float64 array of the same shape: weight over the region's total weight; 0 outside.
        num_regions: float, an integer.
    """
    from scipy import ndimage

    shape = anomalous.shape
    weights = np.asarray(weights, "float64").reshape(shape[:3])
    regions = np.asarray(anomalous).reshape(shape[:3]) & (weights > 0)
    shares = np.zeros(shape[:3])
    num_regions = 0
    # Most test images have no region: there is nothing to label.
    for image in np.flatnonzero(regions.any(axis=(1, 2))):
        labels, count = ndimage.label(regions[image], structure=np.ones((3, 3)))
        area = np.bincount(labels.ravel(), weights[image].ravel())
        area[0] = np.inf
        shares[image] = weights[image] / area[labels]
        num_regions += count
    return shares.reshape(shape), float(num_regions)
