"""The directory of a TIFF structure: of a TIFF file, or of a photo's Exif block.

Both have the same form: a byte order, the offset of a directory, and the directory's entries of 12
bytes each (TIFF 6.0, section 2; Exif 2.3, section 4.5).
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
FILL_ORDER, STRIP_OFFSETS, ORIENTATION, CHANNELS = 266, 273, 274, 277
STRIP_ROWS, STRIP_BYTES, PLANAR, PREDICTOR, COLOUR_MAP = 278, 279, 284, 317, 320
TILE_WIDTH, TILE_ROWS, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
EXTRA_CHANNELS, SAMPLE_FORMAT, JPEG_TABLES = 338, 339, 347
YCBCR = (529, 530, 531, 532)  # coefficients, subsampling, positions, black and white

# All that pixels depend on. Other tags, such as a photographer's notes, are never read.
_IMAGE_TAGS = frozenset(
    (WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION)
    + (CHANNELS, STRIP_ROWS, STRIP_BYTES, PLANAR, PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_ROWS)
    + (TILE_OFFSETS, TILE_BYTES, EXTRA_CHANNELS, SAMPLE_FORMAT, JPEG_TABLES, *YCBCR)
)
_NUMBERS = {3: ("H", 2), 4: ("I", 4)}  # the types that describe an image: SHORT and LONG
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_MAX_ENTRIES = 1000
_MAX_VALUE_BYTES = 2**22
MAX_EXIF_BYTES = 65_536


@dataclass(frozen=True)
class Directory:
    """The first directory of a TIFF structure, as far as pixels depend on it.

    Args:
        order: str. `"<"` or `">"`, the byte order.
        values: dict. The integer values of each tag.
        entries: dict. The 12 bytes of each tag.
        more: bool. Whether another directory (another image) follows.
    """

    order: str
    values: dict[int, tuple[int, ...]]
    entries: dict[int, bytes]
    more: bool

    def first(self, tag: int, default: int) -> int:
        """Returns the first value of a tag."""
        return self.values.get(tag, (default,))[0]


def read_directory(file: BinaryIO) -> Directory:
    """Reads the first directory of a TIFF structure.

    Args:
        file: Seekable binary file.

    Raises:
        ValueError: If this is not a TIFF structure, it ends too early, or a value is too long.
    """
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(_read(file, 0, 4))
    if order is None:
        raise ValueError("no TIFF structure")
    (directory,) = struct.unpack(order + "I", _read(file, 4, 4))
    (count,) = struct.unpack(order + "H", _read(file, directory, 2))
    if count > _MAX_ENTRIES:
        raise ValueError(f"a directory of {count} entries")
    content = _read(file, directory + 2, 12 * count)
    values, entries = {}, {}
    for position in range(0, 12 * count, 12):
        entry = content[position : position + 12]
        tag, kind, length = struct.unpack_from(order + "HHI", entry)
        if tag not in _IMAGE_TAGS:
            continue
        if _BYTES.get(kind, 8) * length > _MAX_VALUE_BYTES:
            raise ValueError(f"its tag {tag} has {length} values")
        entries[tag] = entry
        if kind in _NUMBERS and length:
            values[tag] = _read_values(file, order, entry)
    more = _read(file, directory + 2 + 12 * count, 4) != b"\x00\x00\x00\x00"
    return Directory(order, values, entries, more)


def _read_values(file: BinaryIO, order: str, entry: bytes) -> tuple[int, ...]:
    _, kind, length = struct.unpack_from(order + "HHI", entry)
    letter, size = _NUMBERS[kind]
    if size * length <= 4:  # short values are in the entry itself, long ones elsewhere
        content = entry[8 : 8 + size * length]
    else:
        content = _read(file, struct.unpack_from(order + "I", entry, 8)[0], size * length)
    return struct.unpack(f"{order}{length}{letter}", content)


def read_orientation(file: BinaryIO, start: int, length: int) -> int:
    """Returns the orientation, 1..8, in an Exif block; 1 if it has none.

    Only the entry's own two bytes are read, so that `graph` can do exactly the same.

    Args:
        file: Seekable binary file.
        start: int. Where the block's TIFF structure begins.
        length: int. Its length in bytes.
    """
    file.seek(start)
    block = file.read(min(length, MAX_EXIF_BYTES))
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return 1
    (directory,) = struct.unpack_from(order + "I", block, 4)
    if directory + 2 > len(block):
        return 1
    (count,) = struct.unpack_from(order + "H", block, directory)
    count = min(count, (len(block) - directory - 2) // 12)
    for position in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", block, position)
        if tag == ORIENTATION and kind == 3:
            (value,) = struct.unpack_from(order + "H", block, position + 8)
            return value if 1 <= value <= 8 else 1
    return 1


def _read(file: BinaryIO, position: int, length: int) -> bytes:
    file.seek(position)
    content = file.read(length)
    if len(content) < length:
        raise ValueError("it ends too early")
    return content
