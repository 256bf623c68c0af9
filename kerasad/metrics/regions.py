"""Connected regions of masks, found on the host."""

import numpy as np
import tensorflow as tf


def compute_region_shares(anomalous: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Spreads a total of 1 over the pixels of each region.

    Regions are 8-connected (pixels that touch at a corner belong together) within one image, and
    consist of pixels whose weight is above 0: padding is no part of a region and can't join two.

    Args:
        anomalous: bool array `(batch, height, width)`, or with a last axis of 1.
        weights: float array of the same shape, >= 0.

    Returns:
        shares: float64 array of the same shape, weight over the region's total weight; 0 outside.
        num_regions: float, an integer.
    """
    from scipy import ndimage

    shape = anomalous.shape
    weights = np.asarray(weights, "float64").reshape(shape[:3])
    regions = np.asarray(anomalous).reshape(shape[:3]) & (weights > 0)
    shares = np.zeros(shape[:3])
    num_regions = 0
    # Most test images have no or few regions; labelling only where some are saves the rest.
    for image in np.flatnonzero(regions.any(axis=(1, 2))):
        labels, count = ndimage.label(regions[image], structure=np.ones((3, 3)))
        area = np.bincount(labels.ravel(), weights[image].ravel())
        area[0] = np.inf
        shares[image] = weights[image] / area[labels]
        num_regions += count
    return shares.reshape(shape), float(num_regions)


def region_shares(anomalous, weights):
    """Returns `compute_region_shares` of tensors: float64 shares, float64 scalar count.

    Inside a `tf.function` it calls back to the host, which XLA can't.
    """
    shares, num_regions = tf.numpy_function(
        compute_region_shares, [anomalous, weights], [tf.float64, tf.float64], stateful=False
    )
    return tf.ensure_shape(shares, anomalous.shape), tf.ensure_shape(num_regions, [])
