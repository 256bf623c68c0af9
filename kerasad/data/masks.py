"""Which mask belongs to which defective image, and whether it is usable."""

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from kerasad.console import count_of
from kerasad.data.decoding import (
    Decoding,
    UnclearMaskError,
    decode_mask,
    examine_mask,
    read_checked,
)
from kerasad.data.image_files import FoundImage, ImageReader, ImageRecord
from kerasad.data.mask_names import mask_stem, normal_stem, normalize
from kerasad.data.problems import Problem
from kerasad.errors import InputError

_WITHOUT = "it counts for image metrics only."


def match_masks(
    folder: Path, images: Sequence[Path], reader: ImageReader
) -> dict[Path, tuple[Path, ...]]:
    """Finds the masks of images by name.

    The mask of `a.jpg` is `a.jpg_mask.png`, or else `a_mask.png`, or else `a.png`; other
    words than `_mask` are in `mask_names.py`, and a number may follow if there are several.

    Args:
        folder: The folder of masks; it may be missing.
        images: The image files.
        reader: `ImageReader`. Masks that belong to no image become a remark.

    Returns:
        The masks of each image that has one. A mask that fits two images is given to both, which
        `attach_masks` then refuses.
    """
    if not folder.is_dir():
        return {}
    paths = reader.list_images(folder)
    plain, ended = defaultdict(list), defaultdict(list)
    for path in paths:
        plain[normal_stem(path)].append(path)
        if (of_photo := mask_stem(path)) is not None:
            ended[of_photo].append(path)
    masks = {}
    for image in images:
        name, stem = normalize(image.name), normal_stem(image)
        found = ended.get(name) or plain.get(name) or ended.get(stem) or plain.get(stem)
        if found:
            masks[image] = tuple(found)
    unused = sorted(set(paths).difference(*masks.values()))
    if unused:
        message = f"masks without an image of their class: {len(unused)}, such as {unused[0].name}."
        reader.remark(folder, message)
    return masks


def attach_masks(
    records: Sequence[ImageRecord], images: Sequence[FoundImage], reader: ImageReader
) -> list[ImageRecord]:
    """Gives each defective image its masks, and a remark if there is none or one is not usable.

    If one mask of an image cannot be used, the image has none: the others would leave out a part
    of its defects. A mask that two images have is used for neither.

    Args:
        records: Images.
        images: What was found, with the masks of these images.
        reader: `ImageReader`. If it verifies, masks are decoded to find empty, broken and unclear
            ones.

    Returns:
        The images; those without a usable mask stay without one.
    """
    masks = {str(image.path): image.masks for image in images}
    owners = defaultdict(list)
    for image in images:
        for mask in dict.fromkeys(os.path.realpath(mask) for mask in image.masks):
            owners[mask].append(image.path)

    def attach(record):
        if not record.label:
            return record, []
        found = masks[record.path]
        if not found:
            return record, [_remark(record.path, "none", f"the defect has no mask; {_WITHOUT}")]
        remarks = [_examine(mask, record, owners, reader) for mask in found]
        problems = [remark for remark in remarks if remark is not None]
        is_usable = not any(problem.broken for problem in problems)
        empty = {problem.path for problem in problems if problem.kind == "empty"}
        usable = tuple(str(mask) for mask in found if is_usable and str(mask) not in empty)
        if usable:  # the empty ones among several add nothing
            problems = [problem for problem in problems if problem.kind != "empty"]
        return replace(record, mask_paths=usable), problems

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(attach, records))
    found = (problem for _, problems in results for problem in problems)
    reader.problems += dict.fromkeys(found)  # several images may name one mask
    return [record for record, _ in results]


def refuse_marked(images: Sequence[FoundImage], reader: ImageReader) -> None:
    """Refuses images that are said to be good while their masks mark defects.

    Args:
        images: What was found.
        reader: `ImageReader`. If it does not verify, no mask is read.

    Raises:
        InputError: The message names the first of them.
    """

    def is_marked(image):
        try:
            return not all(map(reader.is_mask_empty, image.masks))
        except InputError:  # it says nothing
            return False

    good = [image for image in images if image.defect == "good" and image.masks]
    marked = [image for image in good if is_marked(image)] if reader.verify else []
    if marked:
        count = count_of(len(marked), "such image")
        raise InputError(
            f"{marked[0].path}: it is read as a good image, but its mask {marked[0].masks[0].name} "
            f"marks a defect ({count}): put the defective images into a folder "
            "of their own and name it with --bad, or list all images in a CSV file with the "
            "columns path,label,mask."
        )


def read_mask(record: ImageRecord, decoding: Decoding = Decoding()) -> np.ndarray:
    """Reads the masks of an image as one.

    Returns:
        float32 (height, width, 1): 1 where one of them marks a defect, else 0.
    """
    masks = [decode_mask(path, decoding) for path in record.mask_paths]
    return np.max(masks, axis=0) if masks else np.zeros((record.height, record.width, 1), "float32")


def _remark(path: str, kind: str, message: str, broken: bool = False) -> Problem:
    return Problem(path, f"{path}: {message}", broken, kind)


def _examine(mask: Path, record: ImageRecord, owners, reader: ImageReader) -> Problem | None:
    """Returns what is to be said about a mask of an image, if anything."""
    path = str(mask)
    images = owners[os.path.realpath(mask)]
    if len(images) > 1:
        names = " and ".join(image.name for image in images[:2])
        message = (
            f"it is the mask of {len(images)} images, such as {names}, and is used for none; give "
            f"each its own (by the whole name, {images[0].name}_mask.png)."
        )
        return _remark(path, "shared", message, broken=True)
    doubt = None
    try:
        _, header = read_checked(mask, reader.decoding)
        if (header.height, header.width) != (record.height, record.width):
            message = (
                f"the mask is {header.width} x {header.height} pixels and its image {record.path} "
                f"is {record.width} x {record.height}; make them the same size."
            )
            return _remark(path, "size", message, broken=True)
        if reader.verify:
            marked, doubt = examine_mask(mask, reader.decoding)
            if not marked.any():
                return _remark(path, "empty", f"the mask is empty; {_WITHOUT}")
    except UnclearMaskError as error:
        return _remark(path, error.kind, f"{error} Until then {_WITHOUT}", broken=True)
    except InputError as error:
        message = str(error).removeprefix(f"{path}: ")
        return _remark(path, message, message, broken=True)
    return None if doubt is None else _remark(path, doubt, doubt)
