"""The check of what images a backbone takes."""

from collections.abc import Sequence

from kerasad.errors import InputError


def checked_image_shape(image_shape: Sequence[int | None]) -> tuple[int | None, int | None, int]:
    """Returns `(height, width, 3)`; a side of None is any.

    Raises:
        InputError: For anything else.
    """
    image_shape = tuple(side if side is None else int(side) for side in image_shape)
    sides = [side for side in image_shape[:2] if side is not None]
    if len(image_shape) != 3 or image_shape[2] != 3 or min(sides, default=1) < 1:
        raise InputError(f"`image_shape` must be (height, width, 3). Received: {image_shape}")
    return image_shape
