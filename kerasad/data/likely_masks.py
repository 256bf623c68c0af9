"""Masks among the photos, under names that nobody knows: a look at a few files tells."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from kerasad.data.decoding import decode_pixels, hold_memory, read_checked
from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.mask_names import normal_stem
from kerasad.errors import InputError

# Files that are named alike are all masks or all photos, so a few of them tell.
_MOST_LOOKED_AT = 3
_MOST_GROUPS = 100
# Of more folders, those whose names differ in numbers only are taken together.
_MANY_FOLDERS = 40
# A folder of masks may lie so far below that of the photos.
_MOST_LEVELS = 3
_MAX_LEVELS = 8
# JPEG noise leaves the pixels of a mask near black or white.
_NOISE = 16
_MIN_SHARE_NEAR_ENDS = 0.98

# `0_alpha` and `alpha_0` may belong to `0`; `0_1` is another photo.
_AFFIXED = (
    re.compile(r"(?P<photo>.+)[ _.-](?P<word>[^\W\d_]+\d*)"),
    re.compile(r"(?P<word>[^\W\d_]+)[ _.-](?P<photo>.+)"),
)

Pair = tuple[Path, list[Path]]


def refuse_likely_masks(
    images: Sequence[FoundImage], reader: ImageReader, named: Collection[Path] = ()
) -> None:
    """Refuses images that look like masks of others, which the names only hint at.

    Such a file has the name of a photo in a folder around it or in one beside it, or this name
    and a word more, also in the photo's own folder.

    Args:
        images: What was found.
        reader: `ImageReader`. If it does not verify, none is decoded.
        named: Folders of photos that the user names: what lies directly in them is no mask of
            images in other folders.

    Raises:
        InputError: Images that are named alike look like masks, and those of their names do not.
    """

    @cache
    def is_mask(path: Path) -> bool:
        return looks_like_mask(path, reader)

    groups = _find_candidates(images, frozenset(named)) if reader.verify else []
    for group in groups[:_MOST_GROUPS]:
        for mask, photo in _find_masks(group, is_mask):
            raise InputError(_describe(mask, photo))


def looks_like_mask(path: Path, reader: ImageReader) -> bool:
    """Returns whether an image has few levels, or hardly any but black and white."""
    try:
        data, header = read_checked(path, reader.decoding)
        with hold_memory(header):
            pixels = decode_pixels(data, header, str(path), reader.decoding)
    except InputError:
        return False
    if pixels.dtype != np.uint8:
        return len(np.unique(pixels)) <= _MAX_LEVELS
    counts = np.bincount(pixels.ravel(), minlength=256)
    if np.count_nonzero(counts) <= _MAX_LEVELS:
        return True
    black, white = counts[:_NOISE].sum(), counts[-_NOISE:].sum()
    # A dark photo has highlights of all levels, a mask is white where it is not black.
    is_white = 2 * white > pixels.size - black
    return bool(is_white and black + white > _MIN_SHARE_NEAR_ENDS * pixels.size)


def _find_masks(group: list[Pair], is_mask: Callable[[Path], bool]) -> Iterator[tuple[Path, Path]]:
    """Yields what looks like a mask, with its photo, if most of a group look so."""
    step = max(1, len(group) // _MOST_LOOKED_AT)
    looked_at = group[::step][:_MOST_LOOKED_AT]
    masks = [(path, photos) for path, photos in looked_at if is_mask(path)]
    if 2 * len(masks) <= len(looked_at):
        return
    for mask, photos in masks:
        for photo in photos[:_MOST_LOOKED_AT]:
            if not is_mask(photo):
                yield mask, photo


def _find_candidates(images: Sequence[FoundImage], named: frozenset[Path]) -> list[list[Pair]]:
    """Returns files that may be masks by their names, each with its photos, in groups of a kind."""
    inside: dict[tuple[Path, str], list[Path]] = {}
    beside: dict[tuple[Path, str], list[Path]] = {}
    stems = {}
    for image in images:
        path, folder = image.path, image.path.parent
        stems[path] = stem = normal_stem(path).casefold()
        inside.setdefault((folder, stem), []).append(path)
        beside.setdefault((folder.parent, stem), []).append(path)
    found: dict[tuple[Path, str], list[Pair]] = {}
    # What has a mask is not one.
    unmasked = {image.path for image in images if not image.masks}
    for path, stem in stems.items():
        if path not in unmasked:
            continue
        folder = path.parent
        for word, name in _split_name(stem):
            photos = list(inside.get((folder, name), ())) if word else []
            if folder not in named:
                around = (folder.parent, name)
                for outer in folder.parents[:_MOST_LEVELS]:
                    photos += inside.get((outer, name), ())
                photos += (photo for photo in beside.get(around, ()) if photo.parent != folder)
            if photos:
                found.setdefault((folder, word), []).append((path, photos))
    is_many = len({folder for folder, _ in found}) > _MANY_FOLDERS
    groups: dict[tuple[str, str], list[Pair]] = {}
    for (folder, word), pairs in found.items():
        name = re.sub(r"\d+", "0", folder.name) if is_many else str(folder)
        groups.setdefault((name, word), []).extend(pairs)
    return sorted(groups.values(), key=len, reverse=True)


def _split_name(stem: str) -> Iterator[tuple[str, str]]:
    """Yields the ways to understand a name: the word that is added, and the photo's name."""
    yield "", stem
    for pattern in _AFFIXED:
        if (match := pattern.fullmatch(stem)) is not None:
            yield re.sub(r"\d+", "", match["word"]), match["photo"]


def _describe(mask: Path, photo: Path) -> str:
    if mask.parent == photo.parent:
        return (
            f"{mask}: it looks like the mask of {photo.name} beside it, and both would be read as "
            "photos; move such masks into a folder called masks, or call them "
            f"{photo.stem}_mask{mask.suffix}; if they are photos, list all in a CSV file with the "
            "columns path,label,mask."
        )
    return (
        f"{mask}: it looks like the mask of {photo}, and both would be read as photos; rename its "
        "folder to masks (to roi if it marks no defects), or name the folders with --good, --bad "
        "and --masks."
    )
