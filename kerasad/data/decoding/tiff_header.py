"""The directory of a TIFF structure: of a TIFF file, or of a photo's Exif block.

Both have the same form: a byte order, the offset of a directory, and the directory's entries of 12
bytes each (TIFF 6.0, section 2; Exif 2.3, section 4.5).
"""

import struct
from typing import BinaryIO

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
ORIENTATION, CHANNELS, SAMPLE_FORMAT = 274, 277, 339

_SIZES = {3: ("H", 2), 4: ("I", 4)}  # the types that describe an image: SHORT and LONG
_MAX_ENTRIES = 1000
MAX_EXIF_BYTES = 65_536


def read_directory(file: BinaryIO, start: int = 0) -> tuple[dict[int, tuple[int, ...]], bool]:
    """Reads the first directory of a TIFF structure.

    Args:
        file: Seekable binary file.
        start: int. Where the structure begins; its offsets are relative to this.

    Returns:
        (values, more): the integer values of each tag, and whether another directory (another
        image) follows.

    Raises:
        ValueError: If this is not a TIFF structure, or it ends too early.
    """
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(_read(file, start, 4))
    if order is None:
        raise ValueError("no TIFF structure")
    directory = start + struct.unpack(order + "I", _read(file, start + 4, 4))[0]
    (count,) = struct.unpack(order + "H", _read(file, directory, 2))
    if count > _MAX_ENTRIES:
        raise ValueError(f"a directory of {count} entries")
    entries = _read(file, directory + 2, 12 * count)
    values = {}
    for position in range(0, 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", entries, position)
        if kind not in _SIZES or not 1 <= length <= _MAX_ENTRIES:
            continue
        letter, size = _SIZES[kind]
        if size * length <= 4:  # short values are in the entry itself, long ones elsewhere
            content = entries[position + 8 : position + 8 + size * length]
        else:
            (offset,) = struct.unpack_from(order + "I", entries, position + 8)
            content = _read(file, start + offset, size * length)
        values[tag] = struct.unpack(f"{order}{length}{letter}", content)
    try:
        more = _read(file, directory + 2 + 12 * count, 4) != b"\x00\x00\x00\x00"
    except ValueError:  # an Exif block may leave out the last pointer
        more = False
    return values, more


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
