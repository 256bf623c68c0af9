"""The overlay of `kerasad.report.overlay`, drawn by TensorFlow operations alone."""

import numpy as np
import tensorflow as tf

from kerasad.report.overlay import STRONGEST, ColourScale, palette


def draw_overlay_in_graph(image, anomaly_map, scale: ColourScale, enlarge) -> tf.Tensor:
    """The image under its map; what lies above the threshold has an outline.

    The same picture as `kerasad.report.overlay.draw_overlay` makes, up to rounding.

    Args:
        image: float32 tensor (height, width, 3) in [0, 1].
        anomaly_map: float32 tensor (height, width, 1).
        scale: ColourScale.
        enlarge: int or int tensor. Pixels of the result for one of the image, along each side.

    Returns:
        uint8 tensor (height * enlarge, width * enlarge, 3).
    """
    image, anomaly_map = _enlarged(image, enlarge), _enlarged(anomaly_map, enlarge)
    level = tf.clip_by_value((anomaly_map - scale.low) / (scale.high - scale.low), 0.0, 1.0)
    # Beside a NaN, which has no colour, the rest of the picture still has to be drawn.
    level = tf.where(tf.math.is_nan(level), 1.0, level)
    colours = tf.constant(palette().astype(np.float32))
    colours = tf.gather(colours, tf.cast(tf.round(level[..., 0] * 255), tf.int32))
    opacity = STRONGEST * tf.clip_by_value((level - 0.25) / 0.5, 0.0, 1.0)
    blended = (1 - opacity) * image + opacity * colours

    region = tf.cast(anomaly_map > scale.threshold, tf.float32)
    # `SAME` pooling ignores what lies beyond the border, so that it is no edge of a region.
    inside = (region > 0) & (_dilated(1 - region) > 0)
    outside = (region < 1) & (_dilated(region) > 0)
    blended = tf.where(inside, 1.0, tf.where(outside, 0.0, blended))
    return tf.cast(tf.round(tf.clip_by_value(blended, 0.0, 1.0) * 255), tf.uint8)


def enlargement_in_graph(height, width, wanted: int = 256):
    """`kerasad.report.overlay.enlargement` of a size that is known only when it runs."""
    shorter = tf.minimum(height, width)
    return tf.clip_by_value((wanted + shorter - 1) // shorter, 1, 8)


def _enlarged(values, factor):
    if isinstance(factor, int) and factor == 1:
        return values
    return tf.image.resize(values, tf.shape(values)[:2] * factor, method="bilinear")


def _dilated(region):
    return tf.nn.max_pool2d(region[None], 3, 1, "SAME")[0]
