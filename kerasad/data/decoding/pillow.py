"""Pillow's decoders, for what TensorFlow cannot read: TIFF, and BMP with a palette or packed.

Pillow runs only after `check_header`, and only with the plugin of the format that the header
named: none of its other fifty readers is used, and its own limit (which warns) is never reached.
"""

import io
import struct

import numpy as np

from kerasad.data.decoding.deep_tiff import decode_deep_tiff
from kerasad.data.decoding.header import Header
from kerasad.data.decoding.tiff_header import read_directory
from kerasad.errors import InputError


def decode_with_pillow(data: bytes, header: Header, name: str) -> np.ndarray:
    """Decodes the bytes of an image file.

    Alpha is dropped and the colours below it are kept; grey becomes three channels.

    Args:
        data: bytes. A whole image file.
        header: Its `Header`, which passed `check_header`.
        name: str. The file, for messages.

    Returns:
        uint8 or uint16 (height, width, 3), with the Exif orientation applied.

    Raises:
        InputError: If the file is broken.
    """
    from PIL import ImageOps

    if header.bits == 16 and header.format == "png" and header.channels >= 3:
        raise InputError(f"{name}: Pillow keeps 8 of the 16 bits of a colour PNG.")
    try:
        if header.decoder == "deep_tiff":
            return apply_orientation(decode_deep_tiff(data), header.orientation)
        image = open_with_pillow(data, header)
        # Sorted, since some plugins report the sides after the rotation. A broken file may state
        # two sizes, and Pillow must not use one that was never checked against the limit.
        if sorted(image.size) != sorted((header.height, header.width)):
            raise ValueError(f"two sizes in it, {header.width} x {header.height} and {image.size}")
        image.load()
        # Pillow turns TIFF by itself, and then drops the tag.
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            return np.repeat(np.asarray(image).astype(np.uint16)[..., None], 3, axis=-1)
        if image.mode == "RGBa":
            image = image.convert("RGBA")
        return np.asarray(image.convert("RGB"))
    except Exception as error:  # a broken file may raise nearly anything in Pillow
        raise InputError(
            f"{name}: the {header.format.upper()} is broken or cut off ({error}); "
            "save the image again."
        ) from error


def apply_orientation(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turns and mirrors pixels (height, width, channels) as an Exif orientation, 1..8, asks."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _with_image_tags_only(data: bytes) -> bytes:
    """Returns a TIFF without the tags that no pixel depends on: Pillow would read them all."""
    directory = read_directory(io.BytesIO(data))
    position = len(data) + len(data) % 2
    entries, values = [], b""
    for tag in sorted(directory.entries):
        entry, value = directory.entries[tag]
        if value:  # of a BigTIFF, whose places have no room here
            entry = entry[:8] + struct.pack(directory.order + "I", position + len(values))
            values += value + bytes(len(value) % 2)
        entries.append(entry)
    start = {"<": b"II*\x00", ">": b"MM\x00*"}[directory.order]
    parts = [
        start + struct.pack(directory.order + "I", position + len(values)),
        memoryview(data)[8:],
        bytes(position - len(data)) + values,
        struct.pack(directory.order + "H", len(entries)),
        *entries,
        bytes(4),
    ]
    return b"".join(parts)


def open_with_pillow(data: bytes, header: Header):
    """Returns the Pillow image of a file, read by the one class that reads its format."""
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    plugin = {
        "bmp": BmpImagePlugin.BmpImageFile,
        "jpeg": JpegImagePlugin.JpegImageFile,
        "png": PngImagePlugin.PngImageFile,
        "tiff": TiffImagePlugin.TiffImageFile,
    }[header.format]
    return plugin(io.BytesIO(_with_image_tags_only(data) if header.format == "tiff" else data))
