"""From the bytes of an image file to what the model and the page see, limits first."""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasad.data.decoding import (
    Decoding,
    Header,
    check_header,
    decode_bytes,
    hold_memory,
    most_bytes_of_any,
    read_header,
)
from kerasad.data.geometry import Geometry, pack_inputs, resize_image
from kerasad.overlay import to_uint8

VIEW_SIDE = 1024
"""Longest side of a photo as the page shows it."""
MOST_BYTES = 128 * 2**20
"""Bytes of a file, whatever the limit on pixels admits."""


@dataclass(frozen=True)
class Opened:
    """An image, ready to be scored and shown.

    Args:
        name: str. What messages and the page call it.
        data: bytes. The file.
        header: Header.
        inputs: model input of one image, see `pack_inputs`.
        photo: uint8 array (height, width, 3), at most `VIEW_SIDE` long.
    """

    name: str
    data: bytes
    header: Header
    inputs: Any
    photo: np.ndarray

    @property
    def content_hash(self) -> str:
        """SHA-256 of the file, as in the record of a run's images."""
        return hashlib.sha256(self.data).hexdigest()


def most_bytes_of_file(decoding: Decoding) -> int:
    """Returns how many bytes a file may have before its header is read."""
    return min(MOST_BYTES, most_bytes_of_any(decoding))


def open_picture(data: bytes, name: str, decoding: Decoding, geometry: Geometry) -> Opened:
    """Decodes an image file after its header was checked.

    Args:
        data: bytes. The file.
        name: str. What it is called, for messages.
        decoding: Decoding. The limits, and the white level.
        geometry: Geometry. The frame of the model.

    Raises:
        InputError: The file is broken, of another kind or over a limit; the message names it.
    """
    header = read_header(io.BytesIO(data), name)
    check_header(header, name, decoding)

    def finish(pixels, white):
        return *geometry.resize(pixels, white), _shrink(pixels, white)

    with hold_memory(header):
        image, valid, photo = decode_bytes(data, header, name, decoding, finish)
    inputs = pack_inputs(
        np.asarray(image)[None], None if valid is None else np.asarray(valid)[None]
    )
    return Opened(name, data, header, inputs, photo)


def _shrink(pixels, white: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    factor = min(1.0, VIEW_SIDE / max(height, width))
    if factor == 1.0 and white == 255:
        return np.asarray(pixels)
    size = [max(1, round(side * factor)) for side in (height, width)]
    return to_uint8(resize_image(pixels, *size, white=white)[0]).numpy()
