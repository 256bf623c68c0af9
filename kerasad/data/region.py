"""The region of interest of an image: what is outside is painted over, and counts nowhere.

A region travels in `valid`, the mask that leaves out padding: 1 = counts, 0.5 = outside the region,
0 = padding (see `kerasad.layers.cells.counting`). Outside it, pixels are replaced by one grey
before any network sees them. Nothing that is there can then reach a map, however far a network
looks; a score or a loss that leaves these pixels out would still let them in by their neighbours.
"""

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import resize_image
from kerasad.errors import InputError
from kerasad.layers.cells import OUTSIDE, counting

GREY = 0.5
"""What is painted over pixels that do not count: the middle of the range."""


class NothingLeftError(InputError):
    """A region has no pixel at the size of the frame."""


def resize_region(mask, height: int, width: int, keep_aspect: bool = False) -> np.ndarray:
    """Returns the region of an image in its frame, bool (height, width).

    A pixel of the frame is inside if all pixels of the file that it is made of are. So none of it
    comes from outside.

    Args:
        mask: array (height, width) of the size of the file, nonzero = inside.
        height: int. The frame's height in pixels.
        width: int. The frame's width in pixels.
        keep_aspect: bool. See `kerasad.data.geometry.Geometry`.

    Raises:
        InputError: If nothing is inside.
    """
    mask = np.asarray(mask) != 0
    if mask.ndim != 2:
        raise InputError(f"`roi` must be a mask (height, width). Received shape: {mask.shape}")
    if not mask.any():
        raise InputError("`roi` is empty: no pixel is inside the region of interest.")
    outside, valid = resize_image(1.0 - mask[..., None], height, width, keep_aspect)
    inside = np.asarray(outside)[..., 0] == 0
    if valid is not None:
        inside &= np.asarray(valid)[..., 0] > 0
    if not inside.any():
        raise NothingLeftError(
            f"the region of interest is so narrow that nothing is left of it at {height} x {width} "
            "(height x width); make `image_size` larger, or the region."
        )
    return inside


def restrict(images, valid, inside) -> tuple:
    """Returns images without what is outside a region, and `valid` that says so.

    Args:
        images: float tensor (..., height, width, 3).
        valid: float tensor (..., height, width, 1), or None where every pixel is real.
        inside: bool tensor (..., height, width, 1), or one that broadcasts to it.

    Returns:
        (images, valid): pixels that do not count are `GREY`, those of padding too, which may
        mirror others.
    """
    real = tf.ones_like(images[..., :1]) if valid is None else tf.cast(valid, tf.float32)
    valid = tf.where(inside, real, tf.minimum(real, OUTSIDE))
    return paint_over(images, valid), valid


def paint_over(images, valid):
    """Returns images with `GREY` where a pixel does not count; see `restrict`."""
    return tf.where(counting(valid) > 0, images, tf.cast(GREY, images.dtype))


def without_outside(targets: dict, counts: np.ndarray) -> dict:
    """Returns targets of test images as far as they concern a region.

    A defect of which no marked pixel is inside does not concern it: its image counts as good. One
    without a mask may lie anywhere, so its image stays defective.

    Args:
        targets: dict of arrays, see `make_test_dataset`.
        counts: float array (batch, height, width, 1), 1 where a pixel counts.
    """
    mask = targets["mask"] * counts
    marked, left = ((each > 0).any(axis=(1, 2, 3)) for each in (targets["mask"], mask))
    has_mask = np.asarray(targets["has_mask"]).astype(bool)
    outside = marked & ~left & has_mask
    labels = np.where(outside, 0, targets["label"]).astype(np.asarray(targets["label"]).dtype)
    return {**targets, "mask": mask, "label": labels}
