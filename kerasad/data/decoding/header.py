"""Format, size and depth of an image, from the first bytes of its file.

Nothing is decoded here. A PNG of 1 MB can expand to gigabytes, so every decoder of this package
reads the header first.
"""

import io
import os
import stat
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from kerasad.data.decoding import tiff_header, tiff_kinds
from kerasad.errors import InputError

# A photo has about ten segments before its pixels. A million of them would only cost time.
MAX_SEGMENTS = 256
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The JPEG frames whose pixels get finer from scan to scan.
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
# Pillow decodes the run lengths of a BMP in Python, about a megapixel a second.
_RUN_LENGTH_PIXELS = 2**20
_OTHER_TYPES = {b"GIF8": "GIF", b"\x00\x00\x01\x00": "icon", b"%PDF": "PDF", b"8BPS": "Photoshop"}


@dataclass(frozen=True)
class Header:
    """What the first bytes of an image file say.

    Args:
        format: str. `"png"`, `"jpeg"`, `"bmp"` or `"tiff"`.
        height: int. Pixels, after the Exif orientation is applied.
        width: int. Pixels, after the Exif orientation is applied.
        bits: int. Bits per channel, at least 8.
        channels: int. Channels as stored, alpha included; a palette counts as 3.
        orientation: int in 1..8. The Exif orientation; 1 means stored as shown.
        animated: bool. Whether the file holds several images: an animation, or several pages.
        decoder: str. `"graph"` if `decode_bytes_in_graph` can read it, else `"pillow"`, or
            `"deep_tiff"` for TIFF of 16-bit colours.
        start: int. Where the pixels begin in a PNG or JPEG; else 0.
        many_scans: bool. Whether the pixels of a JPEG are spread over several scans.
        parts: int. How many JPEG streams there are: the strips or tiles of a TIFF.
    """

    format: str
    height: int
    width: int
    bits: int = 8
    channels: int = 3
    orientation: int = 1
    animated: bool = False
    decoder: str = "graph"
    start: int = field(default=0, compare=False)
    many_scans: bool = field(default=False, compare=False)
    parts: int = field(default=1, compare=False)

    @property
    def weight(self) -> int:
        """What the limit on pixels counts."""
        # The decoder of BMP keeps the fourth byte, in addition to the file and its pixels.
        twice = self.format == "bmp" and self.channels == 4
        return weigh(self.height, self.width, self.bits) * (2 if twice else 1)


def weigh(height: int, width: int, bits: int) -> int:
    """Returns the number of pixels; those of more than 8 bits count twice, as they take memory."""
    return height * width * (2 if bits > 8 else 1)


def read_header(
    source: str | os.PathLike | bytes | BinaryIO, name: str | os.PathLike = "the image file"
) -> Header:
    """Reads the header of an image file: a few kilobytes, in about a millisecond.

    Args:
        source: A path, the bytes of an image file, or a seekable binary file.
        name: str or path. What errors call a binary file.

    Returns:
        A `Header`. Whether it is acceptable is for `limits.check_header` to say.

    Raises:
        InputError: If the file cannot be read or is not a PNG, JPEG, BMP or TIFF image.
    """
    if isinstance(source, bytes):
        return _parse(io.BytesIO(source), "the image bytes")
    if not isinstance(source, (str, os.PathLike)):
        return _parse(source, os.fspath(name))
    with open_image(source) as file:
        return _parse(file, os.fspath(source))


def open_image(path: str | os.PathLike) -> BinaryIO:
    """Opens a file for reading; any obstacle is an `InputError` that names the file."""
    name = os.fspath(path)
    try:
        # Checked before opening: opening a named pipe would block for ever.
        if not stat.S_ISREG(os.stat(name).st_mode):
            raise InputError(f"{name}: this is not a regular file; give an image file.")
        return open(name, "rb")
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{name}: the file cannot be read ({reason}).") from error


def _parse(file: BinaryIO, name: str) -> Header:
    try:
        file.seek(0)
        start = file.read(16)
        if not start:
            raise InputError(f"{name}: the file is empty (0 bytes); save the image again.")
        if start.startswith(PNG_SIGNATURE):
            return _parse_png(file)
        if start.startswith(b"\xff\xd8\xff"):
            return _parse_jpeg(file)
        if start.startswith(b"BM"):
            return _parse_bmp(file)
        if start.startswith(tiff_header.MAGIC):
            return _tiff_header(file)
    except tiff_kinds.UnreadableError as error:
        raise InputError(f"{name}: this TIFF cannot be read: {error}.") from error
    except (ValueError, LookupError, OverflowError, struct.error, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{name}: the start of the file is broken ({error}); save the image again."
        ) from error
    found = _guess_type(start)
    raise InputError(f"{name}: this is {found}, not a PNG, JPEG, BMP or TIFF image; convert it.")


def _guess_type(start: bytes) -> str:
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "a WEBP image"
    if start[4:8] == b"ftyp":
        return "a HEIF or AVIF image, or a video"
    for magic, kind in _OTHER_TYPES.items():
        if start.startswith(magic):
            return f"a file of type {kind}"
    return "a file of an unknown type"


def _parse_png(file: BinaryIO) -> Header:
    file.seek(8)
    length, kind = struct.unpack(">I4s", file.read(8))
    if kind != b"IHDR" or length != 13:
        raise ValueError("its first chunk is not IHDR")
    width, height, bits, color = struct.unpack(">IIBB", file.read(10))
    orientation, animated, position = 1, False, 33
    for _ in range(MAX_SEGMENTS):
        file.seek(position)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == b"eXIf" and orientation == 1:
            orientation = tiff_header.read_orientation(file, position + 8, length)
        animated |= kind == b"acTL"
        position += 12 + length
    else:
        raise ValueError(f"no pixels within {MAX_SEGMENTS} chunks")
    return Header(
        "png",
        *_as_shown(height, width, orientation),
        bits=max(bits, 8),
        channels={0: 1, 4: 2, 6: 4}.get(color, 3),
        orientation=orientation,
        animated=animated,
        start=position,
    )


def _parse_jpeg(file: BinaryIO) -> Header:
    frame, orientation, position, many_scans = None, None, 2, False
    for _ in range(MAX_SEGMENTS):
        file.seek(position)
        mark, marker = struct.unpack(">BB", file.read(2))
        if mark != 0xFF:
            raise ValueError(f"no marker at byte {position}")
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in (0xDA, 0xD9):  # the pixels begin, or the file ends
            break
        (length,) = struct.unpack(">H", file.read(2))
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and frame is None:
            frame = struct.unpack(">BHHB", file.read(6))
            many_scans = marker in PROGRESSIVE
        elif marker == 0xE1 and orientation is None and file.read(6) == b"Exif\x00\x00":
            orientation = tiff_header.read_orientation(file, position + 10, max(length - 8, 0))
        position += 2 + length
    else:
        raise ValueError(f"no pixels within {MAX_SEGMENTS} segments")
    if frame is None:
        raise ValueError("no image size in it")
    bits, height, width, channels = frame
    file.seek(position + 4)
    many_scans |= file.read(1)[:1] != bytes([channels])  # one channel after the other
    orientation = orientation or 1
    return Header(
        "jpeg",
        *_as_shown(height, width, orientation),
        bits=bits,
        channels=channels,
        orientation=orientation,
        start=position,
        many_scans=many_scans,
    )


def _parse_bmp(file: BinaryIO) -> Header:
    file.seek(14)
    (size,) = struct.unpack("<I", file.read(4))
    if size < 40:  # the layout of OS/2, with 16-bit sides
        width, height, _, bits = struct.unpack("<HHHH", file.read(8))
        plain = False
    else:
        width, height, _, bits, compression = struct.unpack("<iiHHI", file.read(16))
        plain = compression == 0 and bits in (24, 32)
        if compression in (1, 2) and abs(width * height) > _RUN_LENGTH_PIXELS:
            raise ValueError("too many pixels for run-length encoding; save it as PNG")
    if width < 0:
        raise ValueError(f"a width of {width}")
    # A negative height means that the rows are stored from the top.
    decoder = "graph" if plain else "pillow"
    return Header("bmp", abs(height), width, channels=4 if bits == 32 else 3, decoder=decoder)


def _tiff_header(file: BinaryIO) -> Header:
    directory, size = tiff_header.read_directory(file), file.seek(0, os.SEEK_END)
    height, width = directory.first(tiff_header.HEIGHT, 0), directory.first(tiff_header.WIDTH, 0)
    bits, decoder = tiff_kinds.check_kind(directory, height, width, size)
    orientation = directory.first(tiff_header.ORIENTATION, 1)
    orientation = orientation if 1 <= orientation <= 8 else 1
    return Header(
        "tiff",
        *_as_shown(height, width, orientation),
        bits=max(bits, 8),
        channels=directory.first(tiff_header.CHANNELS, 1),
        orientation=orientation,
        animated=directory.more,
        decoder=decoder,
        many_scans=directory.first(tiff_header.COMPRESSION, 1) == tiff_kinds.JPEG,
        parts=tiff_kinds.count_parts(directory),
    )


def _as_shown(height: int, width: int, orientation: int) -> tuple[int, int]:
    return (width, height) if orientation >= 5 else (height, width)
