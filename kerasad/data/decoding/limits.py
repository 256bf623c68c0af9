"""What decoding may cost: limits on pixels, bytes, scans and compressed text, for every decoder.

A file of 12 KB can expand to gigabytes, and one of 500 KB can take a minute. So each limit is
checked before anything is decoded, here and in `graph.py`, which imports the numbers.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kerasad.data.decoding.header import Header
from kerasad.data.decoding.png_stream import describe_long_stream
from kerasad.data.decoding.settings import PIXEL_LIMIT, Decoding
from kerasad.errors import InputError

# JPEG's own limit; a resize needs memory for the frame's height times the image's width.
MAX_SIDE = 65_535
# The least that a JPEG needs is one bit for each block of 8 x 8 pixels: that it is as the last one.
JPEG_PIXELS_PER_BYTE = 512
# Encoders write about ten. A scan takes time for all pixels, however few bytes it has.
MAX_SCANS = 32
# Each may expand to 8 MB, which the decoder throws away.
MAX_COMPRESSED_TEXTS = 16
# What cameras and editors write besides the pixels: previews, colour profiles, a short film.
EXTRA_BYTES = 16 * 2**20
# Simple encoders of PNG make noise larger: their fixed code has 9 bits for most bytes.
PNG_GROWTH = 8  # by one eighth
PNG_EXTRA_BYTES = 2**18
BMP_EXTRA_BYTES = 2**20  # a palette or a colour profile

MARKER_OF_SCAN = b"\xff\xda"
COMPRESSED_TEXTS = (b"zTXt", b"iTXt")


def check_header(header: Header, name: str | os.PathLike, decoding: Decoding = Decoding()) -> None:
    """Refuses an image that is too large or of a kind that cannot be used.

    Args:
        header: The image's `Header`.
        name: str. The file, for the message.
        decoding: `Decoding`, which holds the limits.

    Raises:
        InputError: If the image is over a limit, has no pixels, is animated, or has a number of
            bits per channel that cannot be read.
    """
    name = os.fspath(name)
    pixels = header.height * header.width
    size = f"{header.width} x {header.height} pixels"
    if pixels < 1:
        raise InputError(f"{name}: the image is {size} and therefore empty.")
    if header.weight > decoding.pixel_limit:
        counts = "those of more than 8 bits, and of BMP files of 32, count twice"
        twice = f"; {counts}" if header.weight > pixels else ""
        raise InputError(
            f"{name}: the image is {size}, {pixels / 1e6:.4g} megapixels, and the limit is "
            f"{decoding.pixel_limit / 1e6:.4g}{twice}; scale it down or raise `pixel_limit`."
        )
    if max(header.height, header.width) > MAX_SIDE:
        raise InputError(
            f"{name}: the image is {size}, and no side may be longer than {MAX_SIDE}; cut it."
        )
    if header.animated:
        raise InputError(
            f"{name}: the {header.format.upper()} holds several images (an animation or several "
            "pages), and it is not clear which one is meant; save one image per file."
        )
    if header.bits not in (8, 12, 16) or (header.bits == 12 and header.format != "tiff"):
        raise InputError(
            f"{name}: the image has {header.bits} bits per channel; save it with 8 or 16."
        )


def check_size(header: Header, size: int, name: str | os.PathLike) -> None:
    """Refuses a file with far more bytes, or fewer, than its pixels can need.

    Args:
        header: The image's `Header`.
        size: int. Bytes of the whole file; known before it is read.
        name: str. The file, for the message.

    Raises:
        InputError: If the file is too large or too small.
    """
    name, pixels = os.fspath(name), header.height * header.width
    shape = f"an image of {header.width} x {header.height} pixels"
    if size > most_bytes(header):
        raise InputError(
            f"{name}: the file has {size / 1e6:.4g} MB, more than {shape} needs; save it again."
        )
    if header.format == "jpeg" and pixels > JPEG_PIXELS_PER_BYTE * size:
        raise InputError(
            f"{name}: the file has {size} bytes, too few for {shape}: it is cut off; save it again."
        )


def most_bytes(header: Header) -> int:
    """Returns the size that a file of this header may have."""
    if header.format == "png":
        return header.start + _png_bytes(header)
    extra = BMP_EXTRA_BYTES if header.format == "bmp" else EXTRA_BYTES
    row = header.width * header.channels * -(-header.bits // 8) + 3  # rows of a BMP are padded
    return header.height * row + extra


def most_bytes_of_any(decoding: Decoding) -> int:
    """Returns the size that no file which is decoded can have, whatever its header says."""
    # Four channels of 8 bits, or of 16 that count twice; a PNG needs a little more, see below.
    largest = 4 * decoding.pixel_limit
    return largest + largest // PNG_GROWTH + 4 * MAX_SIDE + PNG_EXTRA_BYTES + EXTRA_BYTES


def _png_bytes(header: Header) -> int:
    raw = _raw_bytes(header)
    return raw + raw // PNG_GROWTH + header.height + header.width + PNG_EXTRA_BYTES


def _raw_bytes(header: Header) -> int:
    return header.height * header.width * header.channels * header.bits // 8


def check_content(data: bytes, header: Header, name: str) -> None:
    """Refuses a file whose pixels would take long to decode, though there are not many.

    Args:
        data: bytes. The whole file.
        header: Its `Header`.
        name: str. The file, for the message.

    Raises:
        InputError: If a JPEG has too many scans, or a PNG too many compressed texts or a stream
            that goes on behind its pixels.
    """
    check_size(header, len(data), name)
    if header.start > EXTRA_BYTES:
        raise InputError(
            f"{name}: {header.start / 1e6:.4g} MB lie before the pixels, more than a camera "
            "writes; save the image again."
        )
    if header.many_scans:
        scans = data.count(MARKER_OF_SCAN, header.start) - (header.parts - 1)
        if scans > MAX_SCANS:
            raise InputError(
                f"{name}: the JPEG has {scans} scans, and at most {MAX_SCANS} are decoded; save "
                "the image again."
            )
    if header.format == "png":
        texts = max(data.count(kind) for kind in COMPRESSED_TEXTS)
        if texts > MAX_COMPRESSED_TEXTS:
            raise InputError(
                f"{name}: the PNG has {texts} compressed texts, and at most "
                f"{MAX_COMPRESSED_TEXTS} are read; save the image again."
            )
        # With a byte before each row, of which there are twice as many if they are interlaced.
        unpacked = _raw_bytes(header) + 2 * (header.height + header.width)
        if reason := describe_long_stream(data, header.start, unpacked):
            raise InputError(f"{name}: the PNG is not plausible: {reason}; save the image again.")


class _Budget:
    """Lets several threads decode at once, as long as their pixels together stay in bounds.

    One image alone always passes, since its own limit was checked.
    """

    def __init__(self, pixels):
        self._pixels = pixels
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + pixels <= self._pixels)
            self._held += pixels
        try:
            yield
        finally:
            with self._changed:
                self._held -= pixels
                self._changed.notify_all()


_budget = _Budget(PIXEL_LIMIT)


def hold_memory(header: Header):
    """Returns a context in which an image may be decoded; it waits while others use the memory."""
    return _budget.hold(header.weight)


def most_at_once(weight: int) -> int | None:
    """Returns how many images of a weight may be decoded at once; None if it does not matter."""
    count = max(1, PIXEL_LIMIT // max(weight, 1))
    return None if count >= _MANY else count


# As many threads as decode at once on a large machine.
_MANY = 64
