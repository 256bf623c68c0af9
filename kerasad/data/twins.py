"""Two files of one name but for the suffix, such as `0.jpg` and `0.png`: a copy, or a mask?"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from kerasad.data.decoding import decode_pixels, hold_memory, read_checked
from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.mask_names import normal_stem
from kerasad.data.problems import count_of
from kerasad.errors import InputError

# The twins of one folder are all of one kind.
_MAX_LOOKED_AT = 20
_MAX_LEVELS = 8
# JPEG noise leaves the pixels of a mask near black or white.
_NOISE = 16
_MIN_SHARE_NEAR_ENDS = 0.98


def examine_twins(images: Sequence[FoundImage], reader: ImageReader) -> None:
    """Remarks on images that differ from another one in the suffix only, in the same folder.

    In folders beside each other, photos of several cameras may have the same names, so there only
    masks count.

    Args:
        images: What was found.
        reader: `ImageReader`. If it does not verify, none is decoded.

    Raises:
        InputError: One of two looks like the mask of the other.
    """
    for folder, twins in _find_twins(images).items():
        for mask, photo in _find_masks(twins, reader):
            raise InputError(
                f"{mask}: it looks like the mask of {photo.name} beside it, and both would be read "
                "as photos; move such masks into a folder called masks, or call them "
                f"{mask.stem}_mask{mask.suffix}."
            )
        names = " and ".join(path.name for path in twins[0][:2])
        count = count_of(len(twins), "name")
        reader.remark(
            folder,
            f"images of one name but for the suffix, such as {names}: {count}; each file counts, "
            "so remove copies.",
        )
    assumed = [image for image in images if image.is_assumed and image.defect == "good"]
    for twins in _find_twins(assumed, levels=2).values():
        for mask, photo in _find_masks(twins, reader):
            raise InputError(
                f"{mask}: it looks like the mask of {photo}, and both would be read as photos; "
                "name its folder with --masks and those of the photos with --good and --bad, or "
                "call it masks."
            )


def _find_masks(twins: Sequence[list[Path]], reader: ImageReader) -> Iterator[tuple[Path, Path]]:
    """Yields what looks like a mask of another image of its name, with that image."""
    for paths in twins[:_MAX_LOOKED_AT] if reader.verify else ():
        masks = [path for path in paths if _looks_like_mask(path, reader)]
        photos = [path for path in paths if path not in masks]
        if masks and photos:
            yield masks[0], photos[0]


def _find_twins(images: Sequence[FoundImage], levels: int = 1) -> dict[Path, list[list[Path]]]:
    """Returns the files of each name that several have in a folder, or that many levels below."""
    by_name: dict[tuple[Path, str], list[Path]] = {}
    for image in images:
        key = (
            image.path.parents[min(levels, len(image.path.parents)) - 1],
            normal_stem(image.path).casefold(),
        )
        by_name.setdefault(key, []).append(image.path)
    found: dict[Path, list[list[Path]]] = {}
    for (folder, _), paths in by_name.items():
        if len(paths) > 1:
            found.setdefault(folder, []).append(paths)
    return found


def _looks_like_mask(path: Path, reader: ImageReader) -> bool:
    """Returns whether an image has few levels, or hardly any but black and white."""
    try:
        data, header = read_checked(path, reader.decoding)
        with hold_memory(header):
            pixels = decode_pixels(data, header, str(path), reader.decoding)
    except InputError:
        return False
    if len(np.unique(pixels)) <= _MAX_LEVELS:
        return True
    if pixels.dtype != np.uint8:
        return False
    return bool(np.mean((pixels < _NOISE) | (pixels > 255 - _NOISE)) > _MIN_SHARE_NEAR_ENDS)
