"""The settings of decoding: the white level of 16-bit images, and the limits."""

from dataclasses import dataclass

from kerasad.errors import InputError, check_whole

PIXEL_LIMIT = 100_000_000


@dataclass(frozen=True)
class Decoding:
    """How image files become pixels: the same in training, prediction and serving.

    Args:
        max_value: int in 1..65535, or None. The value that is white in 16-bit images: 4095 for a
            12-bit camera. Defaults to `None`, 65535. 8-bit images ignore it.
        pixel_limit: int. Images with more pixels are refused before they are decoded. Defaults to
            100 million.

    Raises:
        InputError: If a value is out of range.
    """

    max_value: int | None = None
    pixel_limit: int = PIXEL_LIMIT

    def __post_init__(self):
        if self.max_value is not None:
            check_whole("max_value", self.max_value, 1)
            if self.max_value > 65535:
                raise InputError(f"`max_value` must be at most 65535. Received: {self.max_value}")
        check_whole("pixel_limit", self.pixel_limit, 1)

    @property
    def white(self) -> int:
        """The value that is white in 16-bit images."""
        return 65535 if self.max_value is None else self.max_value
