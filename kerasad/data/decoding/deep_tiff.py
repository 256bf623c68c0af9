"""16-bit colour TIFF, of which Pillow keeps the upper 8 bits.

Pillow's libtiff unpacks strips and tiles as if they were grey images of 8 bits, which works for
every compression of plain bytes; here the bytes become 16-bit pixels.
"""

import io
import struct

import numpy as np

from kerasad.data.decoding import tiff_header as tags
from kerasad.data.decoding.tiff_header import Directory, read_directory

_BAND_BYTES = 2**25


def decode_deep_tiff(data: bytes) -> np.ndarray:
    """Decodes a file that `tiff_kinds.check_kind` gave to this decoder.

    Args:
        data: bytes. A whole TIFF file.

    Returns:
        uint16 (height, width, 3) as stored: not turned. Alpha is left out.

    Raises:
        ValueError: If the file is broken.
    """
    directory = read_directory(io.BytesIO(data))
    channels = directory.first(tags.CHANNELS, 1)
    colours = 3 if channels >= 3 else 1
    grid = _Grid(directory, channels if directory.first(tags.PLANAR, 1) == 1 else 1)
    pixels = np.empty((grid.height, grid.width, colours), "uint16")
    planes = 1 if grid.samples > 1 else colours
    for plane in range(planes):
        for first in range(0, grid.count, grid.band):
            number = min(grid.band, grid.count - first)
            part = grid.unpack(data, plane * grid.count + first, number, first)
            for place, segment in enumerate(part, start=first):
                target = pixels[grid.place(place)]
                if planes > 1:
                    target = target[..., plane : plane + 1]
                target[...] = segment[: target.shape[0], : target.shape[1], : target.shape[2]]
    return pixels if colours == 3 else np.repeat(pixels, 3, axis=-1)


class _Grid:
    """The strips or tiles of one plane: segments of `rows` x `columns` pixels, in rows."""

    def __init__(self, directory: Directory, samples: int):
        self.samples = samples
        self.order = directory.order
        self.compression = directory.first(tags.COMPRESSION, 1)
        self.predicted = directory.first(tags.PREDICTOR, 1) == 2 and self.compression != 1
        self.height, self.width = directory.first(tags.HEIGHT, 0), directory.first(tags.WIDTH, 0)
        self.tiled = tags.TILE_WIDTH in directory.values
        if self.tiled:
            self.rows, self.columns = (
                directory.first(t, 0) for t in (tags.TILE_ROWS, tags.TILE_WIDTH)
            )
            names = (tags.TILE_OFFSETS, tags.TILE_BYTES)
        else:
            self.rows = max(1, min(directory.first(tags.STRIP_ROWS, self.height), self.height))
            self.columns, names = self.width, (tags.STRIP_OFFSETS, tags.STRIP_BYTES)
        self.offsets, self.sizes = (directory.values.get(name, ()) for name in names)
        self.across = -(-self.width // self.columns)
        self.count = self.across * -(-self.height // self.rows)
        self.line = 2 * self.columns * samples
        self.band = max(1, _BAND_BYTES // (self.rows * self.line))

    def place(self, number: int) -> tuple[slice, slice]:
        """Returns where a segment lies in the image."""
        top, left = number // self.across * self.rows, number % self.across * self.columns
        return slice(top, top + self.rows), slice(left, left + self.columns)

    def unpack(self, data: bytes, start: int, number: int, first: int) -> np.ndarray:
        """Returns consecutive segments, uint16 (number, rows, columns, samples)."""
        places = range(start, start + number)
        if places.stop > min(len(self.offsets), len(self.sizes)):
            raise ValueError("some of its strips are missing")
        parts = [data[self.offsets[i] : self.offsets[i] + self.sizes[i]] for i in places]
        height = self.rows * number
        if not self.tiled:  # the last strip is shorter
            height = min(height, self.height - self.rows * first)
        content = self._unpack_bytes(parts, height)
        if len(content) < height * self.line:
            raise ValueError("its strips are too short")
        pixels = np.frombuffer(content, self.order + "u2", height * self.line // 2)
        pixels = pixels.reshape(height, self.columns, self.samples)
        if self.predicted:  # the differences of neighbours are stored
            pixels = np.cumsum(pixels, axis=1, dtype="uint16")
        if not self.tiled:
            return [pixels[i * self.rows : (i + 1) * self.rows] for i in range(number)]
        return pixels.reshape(number, self.rows, self.columns, self.samples)

    def _unpack_bytes(self, parts: list[bytes], height: int) -> bytes:
        if self.compression == 1:
            return b"".join(parts)
        from PIL import TiffImagePlugin

        file = _write_strips(parts, height, self.rows, self.line, self.compression)
        return TiffImagePlugin.TiffImageFile(io.BytesIO(file)).tobytes()


def _write_strips(parts, height, rows, width, compression) -> bytes:
    """Returns a TIFF of one 8-bit channel that has these strips."""
    start, count, offsets = 8, len(parts), []
    for part in parts:
        offsets.append(start)
        start += len(part)
    start += start % 2
    arrays = struct.pack(f"<{2 * count}I", *offsets, *map(len, parts))
    short = count == 1  # the values are in the entry itself
    entries = [
        (tags.WIDTH, 1, width),
        (tags.HEIGHT, 1, height),
        (tags.BITS, 1, 8),
        (tags.COMPRESSION, 1, compression),
        (tags.PHOTOMETRIC, 1, 1),
        (tags.STRIP_OFFSETS, count, offsets[0] if short else start),
        (tags.CHANNELS, 1, 1),
        (tags.STRIP_ROWS, 1, rows),
        (tags.STRIP_BYTES, count, len(parts[0]) if short else start + 4 * count),
    ]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, 4, *entry) for tag, *entry in entries)
    content = b"".join(parts)
    pad = b"\x00" * (start - 8 - len(content))
    head = b"II*\x00" + struct.pack("<I", start + len(arrays))
    return head + content + pad + arrays + directory + bytes(4)
