"""How the file of a mask is named after its photo: one rule, wherever masks lie."""

import re
import unicodedata
from pathlib import Path

_MASK = "masks?|gt|ground[ _-]?truth|labels?|seg|segmentation|annot|annotations?"
_MASK += "|msks?|bw|bin|binary"
# `0_mask`, `0.mask`, `0-gt-2`, `0_mask1`; "defect" only stands at the end, since `defect_0` is as
# well the name of a photo.
_ENDING = re.compile(rf"(.+)[ _.-](?:{_MASK}|defect)(?:[ _-]?[0-9]+)?", re.IGNORECASE)
_PREFIX = re.compile(rf"(?:{_MASK})[ _.-](.+)", re.IGNORECASE)
_REGION = re.compile(
    r"(.+)[ _.-](?:rois?|foreground)(?:[ _-]?[0-9]+)?|(?:rois?|foreground)[ _.-](.+)", re.IGNORECASE
)


def mask_stem(path: Path) -> str | None:
    """Returns the name of the photo that a mask is named after, or None for another file.

    It may be the whole name, as in `a.jpg_mask.png`. Whether there is such a photo, and the file
    is a mask, is for the caller to see: a photo may be called `face_mask.png`.
    """
    stem = normal_stem(path)
    match = _ENDING.fullmatch(stem) or _PREFIX.fullmatch(stem)
    return match[1] if match else None


def region_stem(path: Path) -> str | None:
    """Returns the name of the photo of which a file marks a region of interest, not a defect."""
    match = _REGION.fullmatch(normal_stem(path))
    return (match[1] or match[2]) if match else None


def normal_stem(path: Path) -> str:
    """Returns the name without suffix; an accent may be written in two ways."""
    return normalize(path.stem)


def normalize(name: str) -> str:
    """Returns a name with accents in one form: macOS archives may write them in another."""
    return unicodedata.normalize("NFC", name)
