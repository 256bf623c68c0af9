"""Masks that lie beside their photos, known by the ending of their names."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

MASK_ENDINGS = ("_mask", "_gt", "_label", "_seg", "-mask", "-gt", "-label", "-seg")


def separate_masks(
    images: Sequence[Path],
) -> tuple[list[Path], dict[Path, tuple[Path, ...]], list[Path]]:
    """Separates the photos of a folder from the masks beside them.

    Args:
        images: The image files of one folder.

    Returns:
        (photos, masks by photo, masks without a photo).
    """
    photos = [path for path in images if mask_stem(path) is None]
    by_stem: dict[str, list[Path]] = {}
    for path in photos:
        by_stem.setdefault(normal_stem(path), []).append(path)
    masks: dict[Path, tuple[Path, ...]] = {}
    alone = []
    for path in images:
        stem = mask_stem(path)
        if stem is None:
            continue
        owners = by_stem.get(stem, [])
        if len(owners) == 1:
            masks[owners[0]] = (*masks.get(owners[0], ()), path)
        else:
            # A mask of two photos is of neither.
            alone.append(path)
    return photos, masks, alone


def mask_stem(path: Path) -> str | None:
    """Returns the name of the photo that a mask is named after, or None for another file."""
    stem = normal_stem(path)
    for ending in MASK_ENDINGS:
        if stem.casefold().endswith(ending) and len(stem) > len(ending):
            return stem[: -len(ending)]
    return None


def normal_stem(path: Path) -> str:
    """Returns the name without suffix; an accent may be written in two ways."""
    return unicodedata.normalize("NFC", path.stem)
