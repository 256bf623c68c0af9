"""Remarks on the images of a category that are usable, and yet may not be what the user means."""

from collections.abc import Iterable
from pathlib import Path

from kerasad.data.image_files import ImageReader, ImageRecord


def remark_contradictions(test: Iterable[ImageRecord], reader: ImageReader) -> None:
    """Remarks test images of one content and two labels."""
    first = {}
    for record in test:
        other = first.setdefault(record.content_hash, record)
        if other.label != record.label:
            message = f"the same image is also in the test set as {other.relative_path}."
            reader.remark(record, message)


def remark_white_level(good: Iterable[ImageRecord], folder: Path, reader: ImageReader) -> None:
    """A 12-bit camera's images look nearly black if 65535 is taken for white."""
    brightest = max((record.brightest for record in good if record.brightest), default=None)
    max_value = reader.decoding.max_value
    if brightest is None:
        return
    in_16_bits = all(record.bits == 16 for record in good if record.brightest)
    if max_value is None and brightest <= 16383 and in_16_bits:
        white = next(white for white in (1023, 4095, 16383) if brightest <= white)
        message = (
            f"16-bit images reach only {brightest} of 65535 and are nearly black; if the camera's "
            f"white is {white}, set `max_value` to {white}."
        )
        reader.remark(folder, message)
    elif brightest > reader.decoding.white:
        deep = "images of more than 8 bits"
        message = f"values up to {brightest} in {deep} are cut off at {max_value} (`max_value`)."
        reader.remark(folder, message)
