"""The settings of decoding: white in more than 8 bits, the limit, and the rule of masks."""

from dataclasses import dataclass

from kerasad.data.decoding.foreground import check_rule
from kerasad.errors import InputError, check_whole

# Decoding takes up to 12 bytes a pixel (a progressive JPEG, or an image that is turned): 600 MB.
PIXEL_LIMIT = 50_000_000


@dataclass(frozen=True)
class Decoding:
    """How image files become pixels: the same in training, prediction and serving.

    Args:
        max_value: int in 1..65535, or None. The value that is white in images of more than 8 bits:
            4095 for a 12-bit camera in 16-bit files. Defaults to `None`, the largest number that
            the file's bits can hold. 8-bit images ignore it.
        pixel_limit: int. Images with more pixels are refused before they are decoded; pixels of
            more than 8 bits, and of BMP files of 32 bits, count twice. Defaults to 50 million.
        mask_foreground: str. Which pixels of a mask are defects, see `foreground`. Defaults to
            `"auto"`, which refuses a mask that can be understood in more than one way.

    Raises:
        InputError: If a value is out of range.
    """

    max_value: int | None = None
    pixel_limit: int = PIXEL_LIMIT
    mask_foreground: str = "auto"

    def __post_init__(self):
        if self.max_value is not None:
            check_whole("max_value", self.max_value, 1)
            if self.max_value > 65535:
                raise InputError(f"`max_value` must be at most 65535. Received: {self.max_value}")
        check_whole("pixel_limit", self.pixel_limit, 1)
        check_rule(self.mask_foreground)

    @property
    def white(self) -> int:
        """The value that is white in 16-bit images."""
        return self.white_of(16)

    def white_of(self, bits: int) -> int:
        """Returns the value that is white in images of so many bits per channel."""
        if bits <= 8:
            return 255
        return 2**bits - 1 if self.max_value is None else self.max_value
