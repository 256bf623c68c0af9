"""The size of model inputs, and the one resize that training and serving share.

The functions on images are TensorFlow operations on tensors of any size, so they run with the same
result inside `tf.data`, inside a model's `call` and inside an exported signature.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasad.data.decoding import scale_pixels
from kerasad.errors import InputError

SIDE_MULTIPLE = 32
ASPECT_TOLERANCE = 1.25


@dataclass(frozen=True)
class Geometry:
    """The frame that every image is resized to.

    Args:
        height: int. Pixels.
        width: int. Pixels.
        keep_aspect: bool. Keep each image's own aspect ratio: scale it to fit inside the frame,
            put it at the top left and fill the rest by reflection. Otherwise stretch it.
    """

    height: int
    width: int
    keep_aspect: bool = False

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (height, width, 3) of one image."""
        return (self.height, self.width, 3)

    def resize(self, image, white: int | None = None):
        """Returns `resize_image` of images, with this frame."""
        return resize_image(image, self.height, self.width, self.keep_aspect, white)


def parse_image_size(
    image_size: int | str | Sequence[int], median_aspect: float = 1.0
) -> tuple[int, int]:
    """Parses an image size as a user writes it.

    `"256x640"` and `(256, 640)` are a height and a width, used as they are. One number s is an
    area of s * s pixels at the aspect ratio a = width / height of the data: height = s / sqrt(a)
    and width = s * sqrt(a), each rounded to the nearest multiple of 32 and at least 32. An s below
    32 is refused rather than enlarged.

    Args:
        image_size: int, str (`"256"` or `"HxW"`), or two ints (height, width).
        median_aspect: float > 0. Width / height, used for a lone number. Defaults to `1.0`.

    Returns:
        (height, width), ints in pixels.

    Raises:
        InputError: If `image_size` is none of these, a side is not positive, or a single number
            is below 32.
    """
    sides = _sides(image_size)
    if not sides or len(sides) > 2 or min(sides) < 1:
        raise InputError(
            f"image_size={image_size!r} is not a size: give one number such as 256, or height "
            'and width such as "256x640" or (256, 640).'
        )
    if len(sides) == 2:
        return sides
    if sides[0] < SIDE_MULTIPLE:
        raise InputError(
            f"A size of {image_size} is below {SIDE_MULTIPLE}, the smallest that one number may "
            f'name: give at least {SIDE_MULTIPLE}, or height and width exactly, such as "24x24".'
        )
    root = float(np.sqrt(median_aspect))
    return _nearest_multiple(sides[0] / root), _nearest_multiple(sides[0] * root)


def _sides(image_size):
    if isinstance(image_size, str):
        match = re.fullmatch(r"\s*(\d+)\s*(?:[xX]\s*(\d+)\s*)?", image_size)
        return tuple(int(side) for side in match.groups() if side) if match else ()
    if isinstance(image_size, (int, np.integer)) and not isinstance(image_size, bool):
        return (int(image_size),)
    if isinstance(image_size, Sequence) and len(image_size) == 2:
        whole = all(
            isinstance(side, (int, np.integer)) and not isinstance(side, bool)
            for side in image_size
        )
        return tuple(int(side) for side in image_size) if whole else ()
    return ()


def _nearest_multiple(side):
    return max(SIDE_MULTIPLE, SIDE_MULTIPLE * int(side / SIDE_MULTIPLE + 0.5))


def plan_geometry(records: Sequence, image_size: int | str | Sequence[int] | Geometry) -> Geometry:
    """Chooses the frame for a set of images from the sizes in their headers.

    The aspect ratio is kept if aspect ratios vary: if their 95th percentile is more than 1.25 times
    their 5th. (Percentiles are interpolated linearly, so that one odd image counts among a few, but
    not among hundreds.)

    Args:
        records: `ImageRecord`s, or anything with `height` and `width`; only good images, since
            test images must not decide anything.
        image_size: See `parse_image_size`; a `Geometry` is returned unchanged.

    Returns:
        A `Geometry`.

    Raises:
        InputError: If `image_size` cannot be parsed, or there is no image.
    """
    if isinstance(image_size, Geometry):
        return image_size
    if not records:
        raise InputError("There is no image to choose the image size from.")
    aspects = np.array([record.width / record.height for record in records])
    height, width = parse_image_size(image_size, float(np.median(aspects)))
    low, high = np.percentile(aspects, [5, 95])
    return Geometry(height, width, keep_aspect=bool(high / low > ASPECT_TOLERANCE))


def whole_batch_size(batch_size: int, whole_size: Sequence[int], crop_size: Sequence[int]) -> int:
    """Returns how many whole images hold about as many pixels as a batch of crops; at least 1.

    Args:
        batch_size: int. Crops in a batch.
        whole_size: (height, width) of whole images.
        crop_size: (height, width) of crops.
    """
    crop, whole = crop_size[0] * crop_size[1], whole_size[0] * whole_size[1]
    return max(1, batch_size * crop // whole)


def unpack_inputs(inputs):
    """Splits a model input into its images and their validity.

    Args:
        inputs: float tensor (batch, height, width, 3), or a dict that holds it as `"images"`, and
            may hold `"valid"` (batch, height, width, 1): 1 = real pixel, 0 = padding.

    Returns:
        (images, valid); `valid` is None where every pixel is real.
    """
    if isinstance(inputs, dict):
        return inputs["images"], inputs.get("valid")
    return inputs, None


def pack_inputs(images, valid=None, precomputed=None):
    """Returns the model input of `images` and `valid`: the inverse of `unpack_inputs`.

    `precomputed`, a dict or None, is added; see `AnomalyModel.precompute`.
    """
    if valid is None and not precomputed:
        return images
    parts = {"images": images, "valid": valid, **(precomputed or {})}
    return {name: part for name, part in parts.items() if part is not None}


def without_padding(valid, *arrays):
    """Returns arrays (height, width, ...) of one image without their padding.

    Args:
        valid: array (height, width, 1), 0 in the padding below and right of the image; or None.
        *arrays: arrays whose first two axes are those of `valid`.
    """
    if valid is None:
        return arrays
    rows, columns = (int(np.asarray(valid).any(axis).sum()) for axis in ((1, 2), (0, 2)))
    return tuple(array[:rows, :columns] for array in arrays)


def fit_inside(height, width, frame_height: int, frame_width: int):
    """Returns the largest size of the same aspect ratio that fits inside a frame.

    Integers throughout, so that Python, NumPy and the graph round alike.

    Args:
        height: int tensor of any shape, > 0.
        width: int tensor of the same shape, > 0.
        frame_height: int.
        frame_width: int.

    Returns:
        (height, width), int64 tensors; at least 1, at most the frame's, one of them equal to it.
    """
    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    inner_height = (2 * height * frame_width + width) // (2 * width)
    inner_width = (2 * width * frame_height + height) // (2 * height)
    return (
        tf.clip_by_value(inner_height, 1, frame_height),
        tf.clip_by_value(inner_width, 1, frame_width),
    )


def resize_image(
    image, height: int, width: int, keep_aspect: bool = False, white: int | None = None
):
    """Resizes images to a frame: antialiased, bilinear, float32; unchanged if the size fits.

    Args:
        image: float tensor in [0, 1], (height, width, channels) or with a batch dimension; or
            integers, which then never exist as floats at full size.
        height: int. The frame's height in pixels.
        width: int. The frame's width in pixels.
        keep_aspect: bool. See `Geometry`. Defaults to `False`.
        white: int or None. The largest value of integers, which becomes 1.

    Returns:
        (images, valid): images as given but of the frame's size; valid is None without
        `keep_aspect`, else float32 (..., height, width, 1), 1 = real pixel, 0 = padding.
    """
    image = tf.convert_to_tensor(image, tf.float32 if white is None else None)
    if not keep_aspect:
        return _antialias(image, height, width, white), None
    inner_height, inner_width = _inner_size(image, height, width)
    image = reflect_to(_antialias(image, inner_height, inner_width, white), height, width)
    valid = make_valid(inner_height, inner_width, height, width)
    if image.shape.rank == 4:
        valid = tf.tile(valid[None], [tf.shape(image)[0], 1, 1, 1])
    return image, valid


def make_valid(inner_height, inner_width, height: int, width: int):
    """Returns float32 (height, width, 1): 1 in the top-left inner rectangle, 0 elsewhere."""
    rows = tf.range(height) < tf.cast(inner_height, tf.int32)
    columns = tf.range(width) < tf.cast(inner_width, tf.int32)
    return tf.cast(rows[:, None] & columns, tf.float32)[..., None]


def reflect_to(image, height: int, width: int):
    """Extends an image at its bottom and right by reflection, as often as needed.

    Pixel i of a side of length n comes from p = i mod 2n if p < n, else from 2n - 1 - p. The edge
    pixel is repeated, so this also holds for n = 1.

    Args:
        image: tensor (..., height, width, channels), no larger than the frame.
        height: int. Pixels.
        width: int. Pixels.

    Returns:
        tensor (..., `height`, `width`, channels).
    """
    shape = tf.shape(image)
    image = tf.gather(image, _mirrored(height, shape[-3]), axis=-3)
    return tf.gather(image, _mirrored(width, shape[-2]), axis=-2)


def resize_mask(mask, height: int, width: int, keep_aspect: bool = False):
    """Resizes masks to a frame as `resize_image` does, by nearest neighbour; padding is 0.

    Args:
        mask: tensor of any type, (height, width, 1) or with a batch dimension.
        height: int. The frame's height in pixels.
        width: int. The frame's width in pixels.
        keep_aspect: bool. See `Geometry`. Defaults to `False`.

    Returns:
        tensor of the same type, with the frame's size; every value occurs in `mask`, or is 0.
    """
    mask = tf.convert_to_tensor(mask)
    inner_height, inner_width = height, width
    if keep_aspect:
        inner_height, inner_width = _inner_size(mask, height, width)
    shape = tf.shape(mask)
    mask = tf.gather(mask, _nearest(inner_height, shape[-3]), axis=-3)
    mask = tf.gather(mask, _nearest(inner_width, shape[-2]), axis=-2)
    if not keep_aspect:
        return mask
    rows = [0, height - tf.cast(inner_height, tf.int32)]
    columns = [0, width - tf.cast(inner_width, tf.int32)]
    batch = [[0, 0]] * (mask.shape.rank - 3)
    mask = tf.pad(mask, [*batch, rows, columns, [0, 0]])
    return tf.ensure_shape(mask, [*mask.shape[:-3], height, width, mask.shape[-1]])


def count_vanished_regions(mask, height: int, width: int, keep_aspect: bool = False) -> int:
    """Counts the 8-connected regions of a mask of which `resize_mask` leaves no pixel.

    Args:
        mask: array (height, width, 1) or (height, width); non-zero = anomalous.
        height: int. The frame's height in pixels.
        width: int. The frame's width in pixels.
        keep_aspect: bool. See `Geometry`. Defaults to `False`.

    Returns:
        int.
    """
    from scipy import ndimage

    mask = np.asarray(mask)
    mask = mask[..., 0] if mask.ndim == 3 else mask
    regions, count = ndimage.label(mask > 0, structure=np.ones((3, 3)))
    left = np.unique(resize_mask(regions[..., None], height, width, keep_aspect))
    return count - int(np.count_nonzero(left))


def _inner_size(image, height, width):
    shape = tf.shape(image)
    return fit_inside(shape[-3], shape[-2], height, width)


def _antialias(image, height, width, white):
    size = tf.cast(tf.stack([height, width]), tf.int32)
    if isinstance(height, int) and isinstance(width, int):
        if image.shape[-3:-1] == (height, width):
            # No resize in the graph: some runtimes lack it.
            return image if white is None else scale_pixels(image, white)
        size = (height, width)
    resized = tf.image.resize(image, size, method="bilinear", antialias=True)
    if white is not None:
        resized = scale_pixels(resized, white)
    # The weights of a pixel may add up to 1 + 1e-7; for an unchanged size they are 1 and 0.
    return tf.clip_by_value(resized, 0.0, 1.0)


def _mirrored(size, length):
    position = tf.range(size) % (2 * length)
    return tf.minimum(position, 2 * length - 1 - position)


def _nearest(size, length):
    """Returns floor((i + 1/2) * length / size), the source of pixel i, in integers."""
    size, length = tf.cast(size, tf.int64), tf.cast(length, tf.int64)
    return (2 * tf.range(size) + 1) * length // (2 * size)
