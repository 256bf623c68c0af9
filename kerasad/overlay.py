"""An anomaly map in colour, on one scale for all images, and over its image.

These are TensorFlow operations: `predict` and the report run them eagerly, and the served model
holds them in its graph, so that all of them draw the same picture.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.marking import dilate, mark_pixels


@dataclass(frozen=True)
class ColourScale:
    """Which map value has which colour; the same for every image, so that colours compare.

    The pixel threshold is in the middle of the scale, and both ends are equally far from it. Good
    pixels lie around 0, so the scale starts there. A threshold at or below 0 (good images that are
    alike to the last pixel) leaves no room under it; then the scale starts one unit, the spread of
    good pixels, below the threshold.

    Args:
        threshold: float. `pixel_threshold` of the detector.
    """

    threshold: float

    @property
    def low(self) -> float:
        """Value of the darkest colour."""
        return 0.0 if self.threshold > 0 else self.threshold - 1.0

    @property
    def high(self) -> float:
        """Value of the brightest colour."""
        return 2.0 * self.threshold - self.low

    def level(self, anomaly_map):
        """Returns map values on [0, 1]: the threshold at 0.5, values beyond the ends clipped."""
        return scale_level(anomaly_map, self.threshold)


def scale_level(anomaly_map, threshold):
    """Returns `ColourScale(threshold).level(anomaly_map)` for a threshold that may be a tensor."""
    low = scale_low(threshold)
    return ops.clip((anomaly_map - low) * (0.5 / (threshold - low)), 0.0, 1.0)


def scale_low(threshold):
    """Returns `ColourScale(threshold).low` for a threshold that may be a tensor."""
    return ops.where(threshold > 0, 0.0, threshold - 1.0)


MAX_OPACITY = 0.75
"""Opacity of the overlay at the top of the scale: the image stays visible below it."""


@cache
def palette() -> np.ndarray:
    """Returns the 256 colours, float32 (256, 3) in [0, 1]; their brightness rises evenly."""
    from matplotlib import colormaps

    return colormaps["inferno"](np.linspace(0.0, 1.0, 256))[:, :3].astype("float32")


def draw_enlarged(
    image, anomaly_map, scale: ColourScale, is_defective=True, needs_review=False
) -> tf.Tensor:
    """Returns `draw_overlay`, enlarged if the image is small."""
    factor = enlargement(tf.shape(image)[0], tf.shape(image)[1])
    return draw_overlay(image, anomaly_map, scale, factor, is_defective, needs_review)


def draw_overlay(
    image, anomaly_map, scale: ColourScale, factor=1, is_defective=True, needs_review=False
) -> tf.Tensor:
    """Draws the map over the image, and an outline around what is marked, see `mark_pixels`.

    Opacity grows with the map from a quarter of the scale on, so that a good image stays as it is.
    The outline is white inside and black outside: it shows on any background and needs no hue.

    Args:
        image: float32 tensor (height, width, 3) in [0, 1].
        anomaly_map: float32 tensor (height, width, 1).
        scale: ColourScale.
        factor: int or int tensor. Pixels of the overlay for each pixel of the image, per side.
        is_defective: bool or bool tensor. Whether the image is called defective.
        needs_review: bool or bool tensor. Whether it is to be reviewed. One that is called good
            gets no outline.

    Returns:
        uint8 tensor (height * factor, width * factor, 3).
    """
    image, anomaly_map = enlarge(image, factor), enlarge(anomaly_map, factor)
    level, colours = _colours(anomaly_map, scale)
    opacity = MAX_OPACITY * _opacity(level)
    blended = (1.0 - opacity) * image + opacity * colours
    marked = mark_pixels(anomaly_map[..., 0], scale.threshold, is_defective, needs_review)
    # Nothing lies beyond the border of the image, so a region has no outline there.
    inside = (marked & dilate(~marked))[..., None]
    outside = (dilate(marked) & ~marked)[..., None]
    return to_uint8(tf.where(inside, 1.0, tf.where(outside, 0.0, blended)))


def draw_colours(anomaly_map, scale: ColourScale) -> tf.Tensor:
    """Returns a map (height, width, 1) in colours, uint8 (height, width, 3)."""
    return to_uint8(_colours(anomaly_map, scale)[1])


def draw_layer(anomaly_map, scale: ColourScale) -> tf.Tensor:
    """Returns a map (height, width, 1) as a layer to be laid over its image.

    Where its opacity is multiplied by `MAX_OPACITY`, the picture is that of `draw_overlay`.

    Returns:
        uint8 tensor (height, width, 4): the colour, and the opacity.
    """
    level, colours = _colours(anomaly_map, scale)
    return to_uint8(tf.concat([colours, _opacity(level)], axis=-1))


def enlargement(height, width, wanted: int = 256):
    """Returns the whole factor that brings the shorter side to `wanted` pixels, at most 8.

    Args:
        height: int or int tensor.
        width: int or int tensor.
        wanted: int.

    Returns:
        int32 scalar tensor, at least 1.
    """
    shorter = tf.minimum(height, width)
    return tf.clip_by_value((wanted + shorter - 1) // shorter, 1, 8)


def enlarge(values, factor) -> tf.Tensor:
    """Enlarges (height, width, channels) bilinearly by a whole factor."""
    values = tf.convert_to_tensor(values, tf.float32)
    return tf.image.resize(values, tf.shape(values)[:2] * factor, method="bilinear")


def to_uint8(values) -> tf.Tensor:
    """Returns values in [0, 1] as bytes."""
    return tf.cast(tf.round(tf.clip_by_value(values, 0.0, 1.0) * 255.0), tf.uint8)


def _opacity(level):
    """Returns how much of the image a level hides: nothing in the lowest quarter of the scale."""
    return tf.clip_by_value((level - 0.25) * 2.0, 0.0, 1.0)


def _colours(anomaly_map, scale):
    """Returns the level of each pixel on the scale, and its colour."""
    level = scale.level(anomaly_map)
    # NaN has no colour of its own; the rest of the picture is still drawn.
    level = tf.where(tf.math.is_nan(level), 1.0, level)
    position = tf.cast(tf.round(level[..., 0] * 255.0), tf.int32)
    return level, tf.gather(tf.constant(palette()), position)
