"""Image files to pixels: checked first, decoded by TensorFlow or by Pillow, with one result.

`graph` decodes PNG, JPEG (CMYK too) and plain BMP, with the operations that `graph_decoding` puts
into a SavedModel; `pillow` decodes TIFF and other BMP files. Both honour the Exif orientation,
drop alpha, make three channels of grey, and scale 16-bit values by `max_value`.
"""

import os

import numpy as np
import tensorflow as tf

from kerasad.data.graph_decoding import decode_bytes_in_graph, scale_pixels
from kerasad.data.header import PIXEL_LIMIT, Header, check_header, open_image, read_header
from kerasad.data.pillow_decoding import decode_with_pillow
from kerasad.errors import InputError

__all__ = [
    "PIXEL_LIMIT",
    "Header",
    "check_header",
    "decode_bytes",
    "decode_bytes_in_graph",
    "decode_file",
    "decode_mask",
    "decode_pixels",
    "read_checked",
    "read_header",
]

# Room for 16 bits of four channels of every pixel, and for what cameras write beside them.
_BYTES_PER_PIXEL = 8
_BYTES_BESIDE = 64 * 2**20


def decode_file(
    path: str | os.PathLike, max_value: int | None = None, pixel_limit: int = PIXEL_LIMIT
) -> np.ndarray:
    """Decodes an image file.

    Args:
        path: str, path or `ImageRecord`.
        max_value: int. What is white in 16-bit pictures: 4095 for a 12-bit camera. Defaults to
            `None`, 65535. 8-bit pictures don't ask for it.
        pixel_limit: int. The most pixels that a picture may have.

    Returns:
        float32 (height, width, 3) in [0, 1].

    Raises:
        InputError: If the file can't be used, for whatever reason; the message names it.
    """
    data, header = read_checked(path, pixel_limit)
    return decode_bytes(data, header, os.fspath(path), max_value)


def decode_mask(path: str | os.PathLike, pixel_limit: int = PIXEL_LIMIT) -> np.ndarray:
    """Decodes a mask of defects.

    A place is defective where the mask is brighter than half of white, so that the soft edges of a
    scaled mask stay put. If no place is (a mask of class numbers 0, 1, 2...), where it isn't 0.

    Args:
        path: str or path of the mask.
        pixel_limit: int. The most pixels that a mask may have.

    Returns:
        float32 (height, width, 1) of 0 and 1.

    Raises:
        InputError: If the file can't be used; the message names it.
    """
    pixels = decode_file(path, pixel_limit=pixel_limit).max(axis=-1, keepdims=True)
    level = 0.5 if pixels.max() > 0.5 else 0.0
    return (pixels > level).astype(np.float32)


def decode_bytes(
    data: bytes, header: Header, name: str = "the image bytes", max_value: int | None = None
) -> np.ndarray:
    """Decodes the bytes of an image file whose header was checked; see `decode_file`."""
    pixels = decode_pixels(data, header, name, max_value)
    white = 255 if pixels.dtype == np.uint8 else (max_value or 65535)
    return scale_pixels(pixels, white).numpy()


def decode_pixels(
    data: bytes, header: Header, name: str = "the image bytes", max_value: int | None = None
) -> np.ndarray:
    """Decodes to the whole numbers that the file stores: uint8 or uint16 (height, width, 3).

    Raises:
        InputError: If the file is broken, or `max_value` can't be honoured.
    """
    if header.decoder == "pillow":
        if header.bits == 16 and header.channels >= 3 and max_value not in (None, 65535):
            raise InputError(
                f"{name}: of 16-bit colours in a TIFF only the upper 8 bits can be read, so that "
                f"`max_value={max_value}` can't be honoured; save it as a 16-bit PNG."
            )
        return decode_with_pillow(data, header, name)
    try:
        if header.format == "png":
            pixel_type = tf.uint16 if header.bits == 16 else tf.uint8
            pixels = tf.io.decode_png(data, 3, pixel_type)
        elif header.format == "jpeg":
            pixels = tf.io.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE")
        else:
            pixels = tf.io.decode_bmp(data)[..., :3]
    except tf.errors.OpError as error:
        raise InputError(
            f"{name}: the {header.format.upper()} is broken or cut off; save the picture again."
        ) from error
    return _turn(pixels.numpy(), header.orientation)


def read_checked(path: str | os.PathLike, pixel_limit: int = PIXEL_LIMIT) -> tuple[bytes, Header]:
    """Reads a file whose header was checked first.

    Returns:
        (data, header): the bytes of the file, and its `Header`.

    Raises:
        InputError: If it can't be read, or `check_header` refuses it.
    """
    name = os.fspath(path)
    with open_image(path) as file:
        header = read_header(file)
        check_header(header, name, pixel_limit)
        size = os.fstat(file.fileno()).st_size
        if size > _BYTES_PER_PIXEL * pixel_limit + _BYTES_BESIDE:
            raise InputError(
                f"{name}: the file has {size / 1e6:.0f} MB, more than any image of "
                f"{pixel_limit / 1e6:.4g} megapixels needs; save the picture again."
            )
        try:
            file.seek(0)
            return file.read(), header
        except OSError as error:
            raise InputError(f"{name}: the file can't be read ({error.strerror}).") from error


def _turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
