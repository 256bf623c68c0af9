"""Which mask belongs to which defective image, and whether it is usable."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kerasad.data.decoding import decode_mask, read_checked
from kerasad.data.image_files import ImageReader, ImageRecord, Problem
from kerasad.errors import InputError

_WITHOUT = "it counts for image metrics only."


def match_masks(
    folder: Path, records: Sequence[ImageRecord], reader: ImageReader
) -> dict[str, Path]:
    """Finds the masks of images by name: `<stem>_mask.png`, or else `<stem>.png`.

    Args:
        folder: The folder of masks; it may be missing.
        records: The images.
        reader: `ImageReader`. Masks that belong to no image become a remark.

    Returns:
        The masks, by the paths of their images.
    """
    if not folder.is_dir():
        return {}
    paths = reader.list_images(folder)
    # An archive made on macOS may write "é" in another way than the folder of images.
    by_stem = {unicodedata.normalize("NFC", path.stem): path for path in paths}
    masks = {}
    for record in records:
        stem = unicodedata.normalize("NFC", Path(record.path).stem)
        mask = by_stem.get(f"{stem}_mask", by_stem.get(stem))
        if mask is not None:
            masks[record.path] = mask
    unused = sorted(set(paths) - set(masks.values()))
    if unused:
        message = f"masks without an image of their class: {len(unused)}, such as {unused[0].name}."
        reader.remark(folder, message)
    return masks


def attach_masks(
    records: Sequence[ImageRecord], masks: Mapping[str, Path], reader: ImageReader
) -> list[ImageRecord]:
    """Gives each image its mask if it is usable, and a remark if it is not.

    Args:
        records: Defective images.
        masks: Masks, by the paths of their images.
        reader: `ImageReader`. If it verifies, masks are decoded to find empty and broken ones.

    Returns:
        The images; those without a usable mask stay without one.
    """
    return [_attach(record, masks.get(record.path), reader) for record in records]


def _attach(record, mask, reader):
    if mask is None:
        reader.remark(record.path, f"the defect has no mask; {_WITHOUT}")
        return record
    try:
        _, header = read_checked(mask, reader.decoding)
        is_empty = reader.verify and not decode_mask(mask, reader.decoding).any()
    except InputError as error:
        reader.problems.append(Problem(str(mask), str(error)))
        return record
    if (header.height, header.width) != (record.height, record.width):
        message = (
            f"the mask is {header.width} x {header.height} pixels and its image {record.path} is "
            f"{record.width} x {record.height}; make them the same size."
        )
        reader.remark(mask, message, broken=True)
        return record
    if is_empty:
        reader.remark(mask, f"the mask is empty; {_WITHOUT}")
        return record
    return replace(record, mask_path=str(mask))
