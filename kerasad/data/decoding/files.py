"""From a file to pixels: the header is checked before anything is decoded.

The graph's decoder reads PNG, JPEG (CMYK too) and plain BMP; Pillow reads TIFF and other BMP
files. Both apply the Exif orientation, drop alpha, turn grey into three channels and scale 16-bit
values by `Decoding.max_value`.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from kerasad.data.decoding.graph import limit_pixels, scale_pixels
from kerasad.data.decoding.header import Header, open_image, read_header
from kerasad.data.decoding.limits import check_content, check_header, check_size, hold_memory
from kerasad.data.decoding.pillow import apply_orientation, decode_with_pillow
from kerasad.data.decoding.settings import Decoding
from kerasad.errors import InputError


def decode_file(
    path: str | os.PathLike, decoding: Decoding = Decoding(), finish: Callable | None = None
) -> Any:
    """Decodes an image file.

    Args:
        path: str, path or `ImageRecord`.
        decoding: `Decoding`.
        finish: See `decode_bytes`.

    Returns:
        float32 (height, width, 3) in [0, 1], or what `finish` returns.

    Raises:
        InputError: If the file cannot be used; the message names it.
    """
    data, header = read_checked(path, decoding)
    with hold_memory(header):
        return decode_bytes(data, header, os.fspath(path), decoding, finish)


def decode_bytes(
    data: bytes,
    header: Header,
    name: str = "the image bytes",
    decoding: Decoding = Decoding(),
    finish: Callable | None = None,
) -> Any:
    """Decodes the bytes of an image file whose header was checked; see `decode_file`.

    Args:
        data: bytes. A whole image file.
        header: Its `Header`.
        name: str. The file, for messages.
        decoding: `Decoding`.
        finish: Function of integer pixels (height, width, 3) and the value that is white, such as
            `Geometry.resize`: a resize before the division needs a quarter of the memory. Defaults
            to `scale_pixels`.
    """
    pixels = decode_pixels(data, header, name, decoding)
    white = 255 if pixels.dtype == np.uint8 else decoding.white_of(header.bits)
    pixels = limit_pixels(pixels, white)
    return scale_pixels(pixels, white).numpy() if finish is None else finish(pixels, white)


def decode_pixels(
    data: bytes, header: Header, name: str = "the image bytes", decoding: Decoding = Decoding()
) -> np.ndarray:
    """Decodes to the integers that the file stores: uint8 or uint16 (height, width, 3).

    Raises:
        InputError: If the file is broken or over a limit.
    """
    check_content(data, header, name)
    if header.decoder != "graph":
        return decode_with_pillow(data, header, name)
    # An array of objects, since TensorFlow copies plain bytes four times.
    data = tf.constant(np.array(data, dtype=object))
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
            f"{name}: the {header.format.upper()} is broken or cut off; save the image again."
        ) from error
    return apply_orientation(pixels.numpy(), header.orientation)


def read_checked(path: str | os.PathLike, decoding: Decoding = Decoding()) -> tuple[bytes, Header]:
    """Reads a file after checking its header.

    Returns:
        (data, header): the bytes of the file, and its `Header`.

    Raises:
        InputError: If the file cannot be read, or is over a limit.
    """
    name = os.fspath(path)
    with open_image(path) as file:
        header = read_header(file, path)
        check_header(header, name, decoding)
        size = os.fstat(file.fileno()).st_size
        check_size(header, size, name)
        try:
            file.seek(0)
            return file.read(size), header  # without the size, twice the memory
        except OSError as error:
            raise InputError(f"{name}: the file cannot be read ({error.strerror}).") from error
