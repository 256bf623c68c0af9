"""Which mask belongs to which defective image, and whether it is usable."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kerasad.data.decoding import Decoding, decode_mask, read_checked
from kerasad.data.image_files import FoundImage, ImageReader, ImageRecord
from kerasad.data.problems import Problem
from kerasad.errors import InputError

_WITHOUT = "it counts for image metrics only."


def match_masks(
    folder: Path, images: Sequence[Path], reader: ImageReader
) -> dict[Path, tuple[Path, ...]]:
    """Finds the masks of images by name: `<stem>_mask.png`, or else `<stem>.png`.

    Args:
        folder: The folder of masks; it may be missing.
        images: The image files.
        reader: `ImageReader`. Masks that belong to no image become a remark.

    Returns:
        The mask of each image that has one.
    """
    if not folder.is_dir():
        return {}
    paths = reader.list_images(folder)
    # An archive made on macOS may write "é" in another way than the folder of images.
    by_stem = {unicodedata.normalize("NFC", path.stem): path for path in paths}
    masks = {}
    for image in images:
        stem = unicodedata.normalize("NFC", image.stem)
        mask = by_stem.get(f"{stem}_mask", by_stem.get(stem))
        if mask is not None:
            masks[image] = (mask,)
    unused = sorted(set(paths) - {mask for (mask,) in masks.values()})
    if unused:
        message = f"masks without an image of their class: {len(unused)}, such as {unused[0].name}."
        reader.remark(folder, message)
    return masks


def attach_masks(
    records: Sequence[ImageRecord], images: Sequence[FoundImage], reader: ImageReader
) -> list[ImageRecord]:
    """Gives each defective image its usable masks, and a remark if there is none.

    Args:
        records: Images.
        images: What was found, with the masks of these images.
        reader: `ImageReader`. If it verifies, masks are decoded to find empty and broken ones.

    Returns:
        The images; those without a usable mask stay without one.
    """
    masks = {str(image.path): image.masks for image in images}

    def attach(record):
        if not record.label:
            return record
        found = masks[record.path]
        if not found:
            reader.remark(record.path, f"the defect has no mask; {_WITHOUT}")
        usable = tuple(str(mask) for mask in found if _is_usable(mask, record, reader))
        return replace(record, mask_paths=usable)

    return [attach(record) for record in records]


def read_mask(record: ImageRecord, decoding: Decoding = Decoding()) -> np.ndarray:
    """Reads the masks of an image as one.

    Returns:
        float32 (height, width, 1): 1 where one of them marks a defect, else 0.
    """
    masks = [decode_mask(path, decoding) for path in record.mask_paths]
    return np.max(masks, axis=0) if masks else np.zeros((record.height, record.width, 1), "float32")


def _is_usable(mask: Path, record: ImageRecord, reader: ImageReader) -> bool:
    try:
        _, header = read_checked(mask, reader.decoding)
        is_empty = reader.verify and not decode_mask(mask, reader.decoding).any()
    except InputError as error:
        reader.problems.append(Problem(str(mask), str(error)))
        return False
    if (header.height, header.width) != (record.height, record.width):
        message = (
            f"the mask is {header.width} x {header.height} pixels and its image {record.path} is "
            f"{record.width} x {record.height}; make them the same size."
        )
        reader.remark(mask, message, broken=True)
        return False
    if is_empty:
        reader.remark(mask, f"the mask is empty; {_WITHOUT}")
    return not is_empty
