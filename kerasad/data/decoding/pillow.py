"""Pillow's decoders, for what TensorFlow cannot read: TIFF, and BMP with a palette or packed.

Pillow runs only after `check_header`, and only with the plugin of the format that the header
named: none of its other fifty readers is used, and its own limit (which warns) is never reached.
"""

import io

import numpy as np

from kerasad.data.decoding.header import Header
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
        image = find_plugin(header.format)(io.BytesIO(data))
        # Sorted, since some plugins report the sides after the rotation. A broken file may state
        # two sizes, and Pillow must not use one that was never checked against the limit.
        if sorted(image.size) != sorted((header.height, header.width)):
            raise ValueError(f"two sizes in it, {header.width} x {header.height} and {image.size}")
        image.load()
        # Some plugins rotate the image themselves; they then drop the tag.
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


def find_plugin(image_format: str) -> type:
    """Returns the one Pillow class that reads this format."""
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    return {
        "bmp": BmpImagePlugin.BmpImageFile,
        "jpeg": JpegImagePlugin.JpegImageFile,
        "png": PngImagePlugin.PngImageFile,
        "tiff": TiffImagePlugin.TiffImageFile,
    }[image_format]
