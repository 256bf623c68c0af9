"""Image files that an export is tried on, and what training would have made of them."""

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasad.data.decoding import (
    Decoding,
    decode_bytes,
    decode_pixels,
    read_checked,
    read_header,
)
from kerasad.data.geometry import Geometry
from kerasad.synthetic.choosing import ChoosingDefects
from kerasad.synthetic.demo import DEMOS, load_photograph

EMBEDDED = "embedded photographs"
_MOST_FILES = 32
# All images of the comparison, with their maps, in bytes.
_MOST_BYTES = 2**28
_FLOATS_A_PIXEL = 8


@dataclass(frozen=True)
class Sample:
    """One image, as a client sends it and as a detector is given it.

    Args:
        data: bytes. A PNG, JPEG or BMP file.
        image: float32 array (height, width, 3), of the detector's size.
        valid: float32 array (height, width, 1), 0 where padded, or None.
    """

    data: bytes
    image: np.ndarray
    valid: np.ndarray | None


def collect_samples(
    files: Sequence[str | os.PathLike], geometry: Geometry, decoding: Decoding, seed: int = 0
) -> tuple[list[Sample], dict[str, int]]:
    """Files as they are, the same with synthetic defects, and odd encodings of one.

    At most 32 files are taken, evenly spaced, fewer of large images. What only Pillow reads is
    sent as PNG. The odd encodings are a JPEG that its Exif block turns, a PNG of 16 bits and one
    with an alpha channel.

    Args:
        files: paths of image files; if there are none, parts of the embedded photographs.
        geometry: Geometry of the detector.
        decoding: Decoding.
        seed: int. Of the defects.

    Returns:
        samples: list of `Sample`.
        counts: how many `files`, `synthetic_defects` and `encodings` there are.

    Raises:
        InputError: A file cannot be used; the message names it.
    """
    area = geometry.height * geometry.width
    most = min(max(_MOST_BYTES // (4 * _FLOATS_A_PIXEL * area) // 2, 1), _MOST_FILES)
    places = np.unique(np.linspace(0, max(len(files) - 1, 0), most).round().astype(int))
    if files:
        read = [read_sendable(files[place], decoding) for place in places]
    else:
        read = _photographs(min(256, math.isqrt(decoding.pixel_limit)))
    plain = [make_sample(data, geometry, decoding) for data in read[:most]]
    defective = [make_sample(data, geometry, decoding) for data in _damaged(plain, seed)]
    odd = [make_sample(data, geometry, decoding) for data in _encodings(plain[0])]
    counts = {
        "files": len(plain),
        "synthetic_defects": len(defective),
        "encodings": len(odd),
    }
    return [*plain, *defective, *odd], counts


def make_sample(data: bytes, geometry: Geometry, decoding: Decoding) -> Sample:
    """A file's bytes, with what training would have made of them."""
    pixels = decode_bytes(data, read_header(data), decoding=decoding)
    image, valid = geometry.resize(pixels)
    return Sample(data, np.asarray(image), None if valid is None else np.asarray(valid))


def read_sendable(path: str | os.PathLike, decoding: Decoding) -> bytes:
    """A file's bytes; what only Pillow reads as a PNG of the same pixels.

    Raises:
        InputError: The file cannot be used.
    """
    data, header = read_checked(path, decoding)
    if header.decoder == "graph":
        return data
    pixels = decode_pixels(data, header, os.fspath(path), decoding)
    return tf.io.encode_png(pixels).numpy()


def _photographs(side):
    parts = [
        load_photograph(name)[row : row + side, column : column + side, None]
        for name in DEMOS
        for row in (0, 256)
        for column in (0, 256)
    ]
    return [tf.io.encode_png(part).numpy() for part in parts]


def _damaged(samples, seed):
    images = np.stack([sample.image for sample in samples])
    valid = None
    if samples[0].valid is not None:
        valid = np.stack([sample.valid for sample in samples])
    images, _ = ChoosingDefects().draw(images, seed=seed, valid=valid)
    return [
        _encode(_picture(image, sample.valid))
        for image, sample in zip(images, samples, strict=True)
    ]


def _picture(image, valid):
    """The image without its padding, which is below and right of it."""
    if valid is None:
        return image
    height, width = (int(valid.any(axis).sum()) for axis in ((1, 2), (0, 2)))
    return image[:height, :width]


def _encode(image, pixel_type="uint8"):
    white = np.iinfo(pixel_type).max
    return tf.io.encode_png(np.round(image * white).astype(pixel_type)).numpy()


def _encodings(sample):
    from PIL import Image

    image = _picture(sample.image, sample.valid)
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright
    turned = io.BytesIO()
    picture = Image.fromarray(np.round(image * 255).astype("uint8"))
    picture.save(turned, "JPEG", quality=90, exif=exif)
    alpha = np.concatenate([image, image[..., :1]], axis=-1)
    return [turned.getvalue(), _encode(image, "uint16"), _encode(alpha)]


def batch_size_for(geometry: Geometry) -> int:
    """How many samples are run together: 8 of 256 x 256 pixels, fewer of larger ones."""
    return min(max(8 * 256 * 256 // math.prod(geometry.image_shape[:2]), 1), 8)
