"""What the three families of synthetic defects share."""

from collections.abc import Sequence

import numpy as np

from kerasad.errors import InputError

FEWEST_PIXELS = 4
"""A smaller defect is not drawn."""


def check_names(name: str, values: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Returns the values as a tuple, or refuses an empty or unknown one by the argument's name."""
    if not values or not set(values) <= set(known):
        raise InputError(f"`{name}` must be names out of {known}. Received: {values}")
    return tuple(values)


def check_area(name: str, bounds: tuple[float, float]) -> tuple[float, float]:
    """Returns the bounds of a share of the image, or refuses them by the argument's name."""
    low, high = bounds
    if not 0.0 < low <= high <= 1.0:
        raise InputError(
            f"`{name}` must be (low, high) with 0 < low <= high <= 1. Received: {bounds}"
        )
    return (float(low), float(high))


def roughness(image: np.ndarray) -> float:
    """Returns how much an image `(height, width, ...)` differs from its own blur.

    A defect must differ more than this to be seen.
    """
    from scipy import ndimage

    return float(np.std(image - ndimage.gaussian_filter(image, 2.0, axes=(0, 1))))
