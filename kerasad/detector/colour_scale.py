"""The colour scale of anomaly maps: one for all images of a calibrated detector."""

from dataclasses import dataclass

from keras import ops


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
    low = ops.where(threshold > 0, 0.0, threshold - 1.0)
    return ops.clip((anomaly_map - low) * (0.5 / (threshold - low)), 0.0, 1.0)
