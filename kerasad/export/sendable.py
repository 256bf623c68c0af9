"""Photos that training reads and the served graph does not, and the way out."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from kerasad.data.decoding import read_header
from kerasad.errors import InputError
from kerasad.export.saved_model import MODEL_CARD
from kerasad.files import read_json

_TIFF_SUFFIXES = (".tif", ".tiff")
_NAMES = {"tiff": "TIFF", "bmp": "BMP with a palette or compressed"}


def count_unsendable(paths: Iterable[str | os.PathLike]) -> dict[str, int]:
    """Returns how many files of which kind a served model would refuse.

    Args:
        paths: image files. Only headers are read. Of a file that is gone, its suffix tells.
    """
    kinds = filter(None, map(_unsendable_kind, map(Path, paths)))
    return dict(Counter(kinds))


def describe_unsendable(version: Path) -> str | None:
    """Returns a sentence on what a version cannot read of the photos of its run, or None."""
    photos = read_json(version / MODEL_CARD)["data"] or {}
    counts = photos.get("cannot_be_sent")
    if not counts:
        return None
    kinds = " and ".join(f"{count} {kind}" for kind, count in counts.items())
    return (
        f"Of the {sum(photos['num_images'].values())} photos of this run, {kinds} cannot be sent "
        "to the exported model, which reads PNG, JPEG and BMP of 24 or 32 bits: convert such "
        "photos to PNG before sending them; `kerasad.export.read_sendable(path)` returns the bytes."
    )


def _unsendable_kind(path: Path) -> str | None:
    try:
        header = read_header(path)
    except InputError:  # gone, or changed since
        return "TIFF" if path.suffix.lower() in _TIFF_SUFFIXES else None
    if header.decoder == "graph":
        return None
    return _NAMES.get(header.format, header.format.upper())
