"""Which pixels of an image are marked: boxes and outlines are drawn around them.

These are TensorFlow operations: `predict` and the report run them eagerly, and the served model
holds them in its graph, so that all of them mark the same pixels.
"""

import tensorflow as tf


def mark_pixels(anomaly_map, threshold: float, is_defective, needs_review=False) -> tf.Tensor:
    """Returns the pixels that are marked, by the decision about the image.

    - Called defective: those strictly above the threshold; if there are none, `peak_region`, so
      that no such image is without a region.
    - To be reviewed: those strictly above the threshold, if any.
    - Called good: none. Pixels above the threshold are then not a finding.

    Args:
        anomaly_map: float32 tensor (height, width).
        threshold: float. The detector's `pixel_threshold`.
        is_defective: bool or bool tensor. Whether the image is called defective.
        needs_review: bool or bool tensor. Whether it is to be reviewed.

    Returns:
        bool tensor (height, width).
    """
    anomaly_map = tf.convert_to_tensor(anomaly_map, tf.float32)
    is_defective, needs_review = (tf.cast(flag, tf.bool) for flag in (is_defective, needs_review))
    above = (anomaly_map > threshold) & (is_defective | needs_review)
    return tf.cond(
        is_defective & ~tf.reduce_any(above), lambda: peak_region(anomaly_map), lambda: above
    )


def peak_region(anomaly_map) -> tf.Tensor:
    """Returns the connected region around the largest value of a map.

    It is the region of values of at least half way from the median of the map to its peak.
    Regions are 8-connected: pixels that touch at a corner belong to one.

    Args:
        anomaly_map: float32 tensor (height, width).

    Returns:
        bool tensor (height, width); never empty.
    """
    values = tf.reshape(anomaly_map, (-1,))
    count = tf.size(values)
    median = tf.sort(values)[count // 2]
    high = anomaly_map >= 0.5 * (median + tf.reduce_max(values))
    peak = tf.reshape(tf.range(count) == tf.argmax(values, output_type=tf.int32), tf.shape(high))

    def grow(region, _):
        wider = high & dilate(region)
        return wider | peak, tf.reduce_any(wider & ~region)

    return tf.while_loop(lambda _, grown: grown, grow, (peak, tf.constant(True)))[0]


def dilate(region) -> tf.Tensor:
    """Returns a region and the pixels that touch it, bool tensor (height, width).

    Args:
        region: bool tensor (height, width). Pixels beyond the border are not part of it.
    """
    pixels = tf.cast(region, tf.float32)[None, ..., None]
    return tf.nn.max_pool2d(pixels, 3, 1, "SAME")[0, ..., 0] > 0
