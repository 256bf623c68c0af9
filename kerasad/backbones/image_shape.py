"""The check of an image shape."""

from collections.abc import Sequence

from kerasad.errors import InputError


def checked_image_shape(
    image_shape: Sequence[int | None], smallest_side: int | None = None
) -> tuple[int | None, int | None, int]:
    """Returns `(height, width, 3)`; a side may be None unless there is a smallest one.

    Raises:
        InputError: For anything else.
    """
    image_shape = tuple(side if side is None else int(side) for side in image_shape)
    sides = [side for side in image_shape[:2] if side is not None]
    is_open = smallest_side is not None and len(sides) < 2
    too_small = min(sides, default=1) < (smallest_side or 1)
    if len(image_shape) != 3 or image_shape[2] != 3 or is_open or too_small:
        hint = ""
        if smallest_side is not None:
            hint = (
                f" with sides of at least {smallest_side} pixels; on the command line --image-size "
                "says it, or --tile where there are tiles"
            )
        raise InputError(f"`image_shape` must be (height, width, 3){hint}. Received: {image_shape}")
    return image_shape
