"""Two files of one name but for the suffix, such as `0.jpg` and `0.png`: a copy, or a mask?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerasad.data.decoding import decode_pixels, hold_memory, read_checked
from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.mask_names import normal_stem
from kerasad.errors import InputError

# The twins of one folder are all of one kind.
_MAX_LOOKED_AT = 20
_MAX_LEVELS = 8
# JPEG noise leaves the pixels of a mask near black or white.
_NOISE = 16
_MIN_SHARE_NEAR_ENDS = 0.98


def examine_twins(images: Sequence[FoundImage], reader: ImageReader) -> None:
    """Remarks on images that differ from another one in the suffix only, in the same folder.

    Args:
        images: What was found.
        reader: `ImageReader`. If it does not verify, none is decoded.

    Raises:
        InputError: One of two looks like the mask of the other.
    """
    for folder, twins in _find_twins(images).items():
        for paths in twins[:_MAX_LOOKED_AT] if reader.verify else ():
            masks = [path for path in paths if _looks_like_mask(path, reader)]
            photos = [path for path in paths if path not in masks]
            if masks and photos:
                raise InputError(
                    f"{masks[0]}: it looks like the mask of {photos[0].name} beside it, and both "
                    f"would be read as photos; move such masks into a folder called masks, or call "
                    f"them {masks[0].stem}_mask{masks[0].suffix}."
                )
        names = " and ".join(path.name for path in twins[0][:2])
        reader.remark(
            folder,
            f"images of one name but for the suffix, such as {names}: {len(twins)} times; each "
            "file counts, so remove copies.",
        )


def _find_twins(images: Sequence[FoundImage]) -> dict[Path, list[list[Path]]]:
    """Returns the files of each name that several of a folder have, by folder."""
    by_name: dict[tuple[Path, str], list[Path]] = {}
    for image in images:
        key = (image.path.parent, normal_stem(image.path).casefold())
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
