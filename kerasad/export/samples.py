"""Image files to compare an export on, each with what training would make of it."""

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
from kerasad.data.geometry import Geometry, without_padding
from kerasad.synthetic.choosing import ChoosingDefects
from kerasad.synthetic.demo import DEMOS, load_photograph

EMBEDDED = "embedded photographs"
_MOST_FILES = 32
# Memory of all images of the comparison and their maps.
_MOST_BYTES = 2**28
_FLOATS_PER_PIXEL = 8


@dataclass(frozen=True)
class Sample:
    """One image, as a client sends it and as a detector receives it.

    Args:
        data: bytes. A PNG, JPEG or BMP file.
        image: float32 array (height, width, 3), of the detector's size.
        valid: float32 array (height, width, 1), 0 where padded, or None.
    """

    data: bytes
    image: np.ndarray
    valid: np.ndarray | None


def collect_samples(
    files: Sequence[str | os.PathLike], geometry: Geometry, decoding: Decoding
) -> tuple[list[Sample], dict[str, int]]:
    """Returns files as they are, the same with synthetic defects, and odd encodings of one.

    At most 32 files are taken, evenly spaced; fewer if images are large. A file that only Pillow
    can read is sent as PNG. The odd encodings are a JPEG that its Exif block turns, a 16-bit PNG
    and a PNG with an alpha channel.

    Args:
        files: paths of image files; if there are none, parts of the embedded photographs.
        geometry: Geometry of the detector.
        decoding: Decoding.

    Returns:
        samples: list of `Sample`.
        counts: how many `files`, `synthetic_defects` and `encodings` there are.

    Raises:
        InputError: A file cannot be used; the message names it.
    """
    area = geometry.height * geometry.width
    most = min(max(_MOST_BYTES // (4 * _FLOATS_PER_PIXEL * area) // 2, 1), _MOST_FILES)
    places = np.unique(np.linspace(0, max(len(files) - 1, 0), most).round().astype(int))
    if files:
        read = [read_sendable(files[place], decoding) for place in places]
    else:
        read = _photographs(min(256, math.isqrt(decoding.pixel_limit)))
    plain = [make_sample(data, geometry, decoding) for data in read[:most]]
    defective = [make_sample(data, geometry, decoding) for data in _damaged(plain)]
    odd = [make_sample(data, geometry, decoding) for data in _encodings(plain[0])]
    counts = {
        "files": len(plain),
        "synthetic_defects": len(defective),
        "encodings": len(odd),
    }
    return [*plain, *defective, *odd], counts


def make_sample(data: bytes, geometry: Geometry, decoding: Decoding) -> Sample:
    """Returns a file's bytes with what training would make of them."""
    header = read_header(data)
    image, valid = decode_bytes(data, header, decoding=decoding, finish=geometry.resize)
    return Sample(data, np.asarray(image), None if valid is None else np.asarray(valid))


def read_sendable(path: str | os.PathLike, decoding: Decoding = Decoding()) -> bytes:
    """Returns a file's bytes, or a PNG of the same pixels if a served model cannot read it.

    Args:
        path: str or path. Any image file that training reads.
        decoding: Decoding, as in training.

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


def _damaged(samples):
    images = np.stack([sample.image for sample in samples])
    valid = None
    if samples[0].valid is not None:
        valid = np.stack([sample.valid for sample in samples])
    images, _ = ChoosingDefects().draw(images, seed=0, valid=valid)
    pairs = zip(images, samples, strict=True)
    return [_encode(*without_padding(sample.valid, image)) for image, sample in pairs]


def _encode(image, pixel_type="uint8"):
    white = np.iinfo(pixel_type).max
    return tf.io.encode_png(np.round(image * white).astype(pixel_type)).numpy()


def _encodings(sample):
    from PIL import Image

    (image,) = without_padding(sample.valid, sample.image)
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright
    turned = io.BytesIO()
    picture = Image.fromarray(np.round(image * 255).astype("uint8"))
    picture.save(turned, "JPEG", quality=90, exif=exif)
    alpha = np.concatenate([image, image[..., :1]], axis=-1)
    return [turned.getvalue(), _encode(image, "uint16"), _encode(alpha)]


def batch_size_for(geometry: Geometry) -> int:
    """Returns how many samples are run together: 8 of 256 x 256 pixels, fewer if larger."""
    return min(max(8 * 256 * 256 // math.prod(geometry.image_shape[:2]), 1), 8)
