"""The directory of a TIFF structure: of a TIFF file, or of a photo's Exif block.

Both have the same form: a byte order, the offset of a directory, and the directory's entries of 12
bytes each (TIFF 6.0, section 2; Exif 2.3, section 4.5). BigTIFF has entries of 20 bytes with places
and counts of 64 bits; files here are far below 4 GB, so they are turned into those of 12 bytes.
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
_LONG, _LONG8 = 4, 16
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
BIG_MAGIC = (b"II+\x00", b"MM\x00+")
MAGIC = (b"II*\x00", b"MM\x00*", *BIG_MAGIC)
_MAX_ENTRIES = 1000
_MAX_VALUE_BYTES = 2**22
MAX_EXIF_BYTES = 65_536


@dataclass(frozen=True)
class Directory:
    """The first directory of a TIFF structure, as far as pixels depend on it.

    Args:
        order: str. `"<"` or `">"`, the byte order.
        values: dict. The integer values of each tag.
        entries: dict. Of each tag the 12 bytes of a TIFF's entry, and of a BigTIFF the value too if
            these bytes do not hold it: they then have no place of it.
        more: bool. Whether another directory (another image) follows.
    """

    order: str
    values: dict[int, tuple[int, ...]]
    entries: dict[int, tuple[bytes, bytes]]
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
    magic = _read(file, 0, 4)
    order = {b"II": "<", b"MM": ">"}.get(magic[:2])
    if order is None or magic not in MAGIC:
        raise ValueError("no TIFF structure")
    is_big = magic in BIG_MAGIC
    # Letters of `struct`: of a place, of the number of entries; bytes of an entry.
    place, number, size = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    (directory,) = _unpack(file, 8 if is_big else 4, order + place)
    (count,) = _unpack(file, directory, order + number)
    if count > _MAX_ENTRIES:
        raise ValueError(f"a directory of {count} entries")
    first = directory + struct.calcsize(order + number)
    content = _read(file, first, size * count)
    values, entries = {}, {}
    for position in range(0, size * count, size):
        entry = content[position : position + size]
        tag, kind, length = struct.unpack_from(order + "HH" + place, entry)
        if tag not in _IMAGE_TAGS:
            continue
        if _BYTES.get(kind, 8) * length > _MAX_VALUE_BYTES:
            raise ValueError(f"its tag {tag} has {length} values")
        entry, value = _as_small(file, order, entry) if is_big else (entry, b"")
        entries[tag] = entry, value
        if struct.unpack_from(order + "H", entry, 2)[0] in _NUMBERS and length:
            values[tag] = _read_values(file, order, entry, value)
    (more,) = _unpack(file, first + size * count, order + place)
    return Directory(order, values, entries, more != 0)


def _as_small(file: BinaryIO, order: str, entry: bytes) -> tuple[bytes, bytes]:
    """Returns the entry of a BigTIFF as one of 12 bytes, and its value if that is longer than 4."""
    tag, kind, length = struct.unpack_from(order + "HHQ", entry)
    size = _BYTES.get(kind, 8) * length
    value = entry[12 : 12 + size]
    if size > 8:
        value = _read(file, struct.unpack_from(order + "Q", entry, 12)[0], size)
    if kind == _LONG8:  # fails above 4 GB, where no file ends
        kind, value = (
            _LONG,
            struct.pack(f"{order}{length}I", *struct.unpack(f"{order}{length}Q", value)),
        )
    start = struct.pack(order + "HHI", tag, kind, length)
    return (start + value.ljust(4, b"\x00"), b"") if len(value) <= 4 else (start + bytes(4), value)


def _read_values(file: BinaryIO, order: str, entry: bytes, content: bytes) -> tuple[int, ...]:
    _, kind, length = struct.unpack_from(order + "HHI", entry)
    letter, size = _NUMBERS[kind]
    if not content:  # short values are in the entry itself, long ones elsewhere
        content = entry[8 : 8 + size * length]
    if size * length > len(content):
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


def _unpack(file: BinaryIO, position: int, form: str) -> tuple[int, ...]:
    return struct.unpack(form, _read(file, position, struct.calcsize(form)))


def _read(file: BinaryIO, position: int, length: int) -> bytes:
    file.seek(position)
    content = file.read(length)
    if len(content) < length:
        raise ValueError("it ends too early")
    return content
