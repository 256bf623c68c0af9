"""Two files of one name but for the suffix, such as `0.jpg` and `0.png`: a copy, or a mask?"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from kerasad.console import count_of
from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.likely_masks import looks_like_mask
from kerasad.data.mask_names import normal_stem
from kerasad.errors import InputError

# The twins of one folder are all of one kind.
_MAX_LOOKED_AT = 20


def examine_twins(images: Sequence[FoundImage], reader: ImageReader) -> None:
    """Remarks on images that differ from another one in the suffix only, in the same folder.

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


def _find_masks(twins: Sequence[list[Path]], reader: ImageReader) -> Iterator[tuple[Path, Path]]:
    """Yields what looks like a mask of another image of its name, with that image."""
    for paths in twins[:_MAX_LOOKED_AT] if reader.verify else ():
        masks = [path for path in paths if looks_like_mask(path, reader)]
        photos = [path for path in paths if path not in masks]
        if masks and photos:
            yield masks[0], photos[0]


def _find_twins(images: Sequence[FoundImage]) -> dict[Path, list[list[Path]]]:
    """Returns the files of each name that several have in a folder."""
    by_name: dict[tuple[Path, str], list[Path]] = {}
    for image in images:
        key = (image.path.parent, normal_stem(image.path).casefold())
        by_name.setdefault(key, []).append(image.path)
    found: dict[Path, list[list[Path]]] = {}
    for (folder, _), paths in by_name.items():
        if len(paths) > 1:
            found.setdefault(folder, []).append(paths)
    return found
