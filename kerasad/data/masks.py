"""Which mask belongs to which defective image, and whether it can be used."""

import unicodedata
from dataclasses import replace
from pathlib import Path

from kerasad.data.decoding import Decoding, decode_mask, read_checked
from kerasad.data.folders import list_images
from kerasad.data.image_record import ImageRecord, Problem
from kerasad.errors import InputError


def find_masks(folder: Path, records: list[ImageRecord]) -> tuple[dict[str, Path], list[Problem]]:
    """Finds the masks of one defect's images: `<stem>_mask.png`, or else `<stem>.png`.

    Args:
        folder: `ground_truth/<defect>`; it may be missing.
        records: The images of this defect.

    Returns:
        (masks by the path of the image, problems: masks that belong to no image).
    """
    if not folder.is_dir():
        return {}, []
    paths, problems = list_images(folder)
    # An archive made on macOS writes "é" in another way than the folder it is compared with.
    by_stem = {unicodedata.normalize("NFC", path.stem): path for path in paths}
    masks = {}
    for record in records:
        stem = unicodedata.normalize("NFC", Path(record.path).stem)
        mask = by_stem.get(f"{stem}_mask", by_stem.get(stem))
        if mask is not None:
            masks[record.path] = mask
    unused = sorted(set(paths) - set(masks.values()))
    if unused:
        message = (
            f"{folder}: masks without an image of their class: {len(unused)}, as {unused[0].name}."
        )
        problems.append(Problem(str(folder), message, broken=False))
    return masks, problems


def with_mask(
    record: ImageRecord, mask: Path | None, decoding: Decoding, verify: bool
) -> tuple[ImageRecord, Problem | None]:
    """Gives an image its mask if that can be used, or says why not.

    Args:
        record: A defective image.
        mask: Its mask's file, or None.
        decoding: `Decoding`.
        verify: bool. Also decode the mask, to find empty and truncated ones.

    Returns:
        (record, problem or None).
    """
    without = "it counts for image metrics only."
    if mask is None:
        message = f"{record.path}: the defect has no mask; {without}"
        return record, Problem(record.path, message, broken=False)
    try:
        _, header = read_checked(mask, decoding)
        is_empty = verify and not decode_mask(mask, decoding).any()
    except InputError as error:
        return record, Problem(str(mask), str(error))
    if (header.height, header.width) != (record.height, record.width):
        message = (
            f"{mask}: the mask is {header.width} x {header.height} pixels and its image "
            f"{record.path} is {record.width} x {record.height}; make them the same size."
        )
        return record, Problem(str(mask), message)
    if is_empty:
        message = f"{mask}: the mask is empty; {without}"
        return record, Problem(str(mask), message, broken=False)
    return replace(record, mask_path=str(mask)), None
