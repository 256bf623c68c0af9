"""An anomaly map in colour and over its image, on one scale for all images of a run."""

from dataclasses import dataclass
from functools import cache

import numpy as np

STRONGEST = 0.75
"""Opacity of the overlay at the top of the scale: the image stays visible below it."""


@dataclass(frozen=True)
class ColourScale:
    """Which map value has which colour; the same for every image, so that colours compare.

    The pixel threshold is in the middle, and as far below it as above lie the ends.

    Args:
        low: float. Value of the darkest colour.
        threshold: float. `pixel_threshold` of the detector.
    """

    low: float
    threshold: float

    @classmethod
    def from_threshold(cls, pixel_threshold: float) -> "ColourScale":
        """The scale of a calibrated map: good pixels lie around 0.

        A threshold at or below 0 (good images that are alike to the last pixel) leaves no room
        under it; then one unit, the spread of good pixels, is taken.
        """
        low = 0.0 if pixel_threshold > 0 else pixel_threshold - 1.0
        return cls(low, float(pixel_threshold))

    @property
    def high(self) -> float:
        """Value of the brightest colour."""
        return 2 * self.threshold - self.low

    def level(self, anomaly_map: np.ndarray) -> np.ndarray:
        """Map values on [0, 1], the threshold at 0.5; values beyond the ends are clipped."""
        return np.clip((anomaly_map - self.low) / (self.high - self.low), 0.0, 1.0)


@cache
def palette() -> np.ndarray:
    """The 256 colours, float (256, 3) in [0, 1]: brightness rises evenly, for any eye."""
    from matplotlib import colormaps

    return colormaps["inferno"](np.linspace(0.0, 1.0, 256))[:, :3]


def colour_map(anomaly_map: np.ndarray, scale: ColourScale) -> np.ndarray:
    """The map in colours.

    Args:
        anomaly_map: float array (height, width).
        scale: ColourScale.

    Returns:
        uint8 array (height, width, 3).
    """
    colours = palette()[np.round(scale.level(anomaly_map) * 255).astype(int)]
    return to_uint8(colours)


def draw_overlay(
    image: np.ndarray, anomaly_map: np.ndarray, scale: ColourScale, enlarge: int = 1
) -> np.ndarray:
    """The image under its map; what lies above the threshold has an outline.

    Opacity grows with the map from a quarter of the scale on, so that a good image stays as it
    is. The outline is white inside and black outside: it shows on any ground and needs no hue.

    Args:
        image: float array (height, width, 3) in [0, 1].
        anomaly_map: float array (height, width).
        scale: ColourScale.
        enlarge: int. Pixels of the result for one of the image, along each side.

    Returns:
        uint8 array (height * enlarge, width * enlarge, 3).
    """
    from scipy import ndimage

    image, anomaly_map = enlarged(image, enlarge), enlarged(anomaly_map, enlarge)
    level = scale.level(anomaly_map)[..., None]
    colours = palette()[np.round(level[..., 0] * 255).astype(int)]
    opacity = STRONGEST * np.clip((level - 0.25) / 0.5, 0.0, 1.0)
    blended = (1 - opacity) * image + opacity * colours

    region = anomaly_map > scale.threshold
    square = np.ones((3, 3), bool)
    # The picture's border is no edge of a region: erosion takes what lies beyond it as inside.
    inside = region & ~ndimage.binary_erosion(region, square, border_value=1)
    outside = ndimage.binary_dilation(region, square) & ~region
    blended[outside] = 0.0
    blended[inside] = 1.0
    return to_uint8(blended)


def enlarged(values: np.ndarray, factor: int) -> np.ndarray:
    """Bilinear enlargement of (height, width) or (height, width, channels) by whole steps."""
    from scipy import ndimage

    if factor == 1:
        return np.asarray(values, "float32")
    zoom = (factor, factor) + (1,) * (values.ndim - 2)
    return ndimage.zoom(
        np.asarray(values, "float32"), zoom, order=1, mode="nearest", grid_mode=True
    )


def enlargement(height: int, width: int, wanted: int = 256) -> int:
    """The whole factor that brings the shorter side to at least `wanted` pixels, at most 8."""
    return int(np.clip(-(-wanted // min(height, width)), 1, 8))


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as bytes."""
    return np.round(np.clip(values, 0.0, 1.0) * 255).astype("uint8")
