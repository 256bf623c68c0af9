"""Where the edge lies between the background of a mask, which is 0, and what the mask marks.

The values of a mask are classes, or noise, or the soft edges of a mask that was resized. They
differ in form: a class fills areas, in which neighbours are equal. Noise and edges do not.
"""

import numpy as np
from scipy import ndimage

from kerasad.errors import InputError

NOISE = 8 / 255
"""Values so near to black or white, as shares of white, may come from a lossy file."""

# A level is a class if this share of its pixels lies inside of areas of that level. Bounds of
# soft edges have none: in 632 masks of seven data sets no such level has a single one.
_INSIDE = 0.1
_FEW_LEVELS = 3
# Class numbers are small. Noise is only expected beside something bright.
_LARGEST_NUMBER = 32
# The soft edges of those 632 masks are at most 2.2 % of an image; the noise of JPEG takes more.
_LARGEST_SHARE_OF_EDGES = 0.2
_COUNTED = 20  # fewer pixels than this prove nothing


class UnclearMaskError(InputError):
    """A mask that can be understood in more than one way.

    Args:
        kind: str. A word for the reason, the same for all masks of this kind.
        message: str. What was found and which option decides it.
    """

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


def find_edge(strength: np.ndarray, white: int) -> float:
    """Returns the level above which a pixel is marked.

    Args:
        strength: Whole numbers (height, width): 0 for the background, `white` at most.
        white: int. The largest value that the mask may have.

    Returns:
        0 for classes; half of the faintest class if its edges are soft; half of white if only
        white has areas.

    Raises:
        UnclearMaskError: If classes do not explain the levels.
    """
    counts = count_levels(strength)
    levels = np.flatnonzero(counts)
    levels = levels[levels > 0]
    noise = int(NOISE * white)
    if levels.size == 0 or levels[-1] <= min(_LARGEST_NUMBER, white // 2):
        return 0
    if levels[0] >= white - noise:
        return white / 2
    inside = _count_inside(strength)
    filled = levels[inside[levels] >= _INSIDE * counts[levels]]
    faint = filled[filled <= noise]
    between = levels[(levels > noise) & (levels < white - noise)]
    classes = np.intersect1d(filled, between)
    if classes.size == 0 and levels.size <= _FEW_LEVELS and not _are_edges(strength, between):
        classes = between  # lines so thin that none has an inside
    if faint.size and not classes.size:
        raise UnclearMaskError(
            "class numbers beside white",
            f"it has areas of value {_list(faint)} beside areas of {levels[-1]}: classes, or the "
            "noise of a lossy file; set `mask_foreground` to nonzero (all are defects), to bright "
            f"(only {levels[-1]}), or to the values of defects, with commas.",
        )
    num_others = levels.size - np.union1d(classes, filled).size
    if classes.size and num_others <= max(_FEW_LEVELS, classes.size):
        return 0
    largest = white if levels[-1] > white / 2 else levels[-1]
    edge = (classes[0] if classes.size else largest) / 2
    is_edge = np.isin(strength, np.setdiff1d(between, classes))
    _check_edges(strength, is_edge, white)
    _check_lost(strength, edge, white)
    return edge


def _check_edges(strength, is_edge, white):
    """Refuses levels that are too many, or change too slowly, for the edges of areas."""
    num_edges = np.count_nonzero(is_edge)
    is_slow = False
    if num_edges >= _COUNTED:
        highest = ndimage.maximum_filter(strength, 7)[is_edge].astype(np.int64)
        is_slow = (highest - ndimage.minimum_filter(strength, 7)[is_edge] < white / 3).mean() > 0.5
    if is_slow or num_edges > _LARGEST_SHARE_OF_EDGES * strength.size:
        raise UnclearMaskError(
            "many levels",
            f"it has {np.unique(strength).size} levels, more than classes and soft edges explain, "
            "as in a photo or a heat map; give a mask, or set `mask_foreground` to bright (what is "
            "brighter than half of white is a defect), nonzero or not-white.",
        )


def _check_lost(strength, edge, white):
    """Refuses a mask that has parts which are neither marked nor the edge of what is."""
    marked = strength > edge
    parts, num_parts = ndimage.label(strength > white / 8, np.ones((3, 3)))
    stands_apart = np.ones(num_parts + 1, bool)
    stands_apart[parts[marked]] = False
    is_far = ~ndimage.maximum_filter(marked, 15)
    is_lost = (parts > 0) & (stands_apart[parts] | is_far)
    num_lost = np.count_nonzero(is_lost)
    if num_lost > max(_COUNTED, 0.02 * np.count_nonzero(marked)):
        raise UnclearMaskError(
            "faint parts",
            f"{num_lost} of its pixels are up to {strength[is_lost].max()} bright and stand apart "
            "from brighter ones: a class of thin lines, or noise; set `mask_foreground` to nonzero "
            "(they are defects), bright (only what is brighter than half of white is), or to the "
            "values of defects, with commas.",
        )


def count_levels(values: np.ndarray) -> np.ndarray:
    """Returns how often each whole number from 0 to the largest is there."""
    counts = np.zeros(int(values.max(initial=0)) + 1, np.int64)
    # In parts, since `bincount` makes a copy of 8 bytes a pixel.
    for part in np.array_split(values.ravel(), max(1, values.size >> 20)):
        counts += np.bincount(part, minlength=counts.size)
    return counts


def _count_inside(strength):
    """Returns how many pixels of each level have only neighbours of that level."""
    is_inside = ndimage.maximum_filter(strength, 3) == ndimage.minimum_filter(strength, 3)
    counts = np.zeros(int(strength.max()) + 1, np.int64)
    inside = count_levels(strength[is_inside])
    counts[: inside.size] = inside
    return counts


def _are_edges(strength, between):
    """Returns whether most pixels of these levels lie beside the brightest level."""
    if between.size == 0:
        return True
    pixels = np.isin(strength, between)
    beside = ndimage.maximum_filter(strength, 3) == strength.max()
    return strength.max() > between[-1] and beside[pixels].mean() > 0.5


def _list(values):
    return ", ".join(map(str, values[:5])) + (" ..." if len(values) > 5 else "")
