"""What lies beside photos and is none, in every layout of folders: masks and overlays."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from kerasad.console import count_of
from kerasad.data.earlier_results import EarlierResults, is_named_like_overlay
from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.side_masks import separate_masks
from kerasad.data.mask_names import normal_stem, normalize


def leave_out_side_files(images: Sequence[FoundImage], reader: ImageReader) -> list[FoundImage]:
    """Returns the photos; the masks beside them become those of the defective ones.

    Args:
        images: What a layout has found; images that a list names are none of them.
        reader: `ImageReader`. Each folder with such files gets a remark.
    """
    folders: dict[Path, list[Path]] = {}
    for image in images:
        folders.setdefault(image.path.parent, []).append(image.path)
    masks: dict[Path, tuple[Path, ...]] = {}
    photos: set[Path] = set()
    earlier = EarlierResults()
    for folder, paths in folders.items():
        overlays = _find_overlays(paths, earlier)
        if overlays:
            message = f"{count_of(len(overlays), 'image')} not read: overlays of `kerasad predict`."
            reader.remark(folder, message)
        found = separate_masks([path for path in paths if path not in overlays])
        photos.update(found.photos)
        masks.update(found.masks)
        _report(folder, found, reader)
    return [
        dataclasses.replace(image, masks=(*image.masks, *masks.get(image.path, ())))
        if image.defect not in (None, "good")
        else image
        for image in images
        if image.path in photos
    ]


def _find_overlays(paths: Sequence[Path], earlier: EarlierResults) -> set[Path]:
    """Returns what a list of results names, and what is named like the overlay of a photo."""
    names = {name for path in paths for name in (normal_stem(path), normalize(path.name))}
    return {
        path
        for path in paths
        if is_named_like_overlay(path)
        and (path in earlier or normal_stem(path)[: -len("_overlay")] in names)
    }


def _report(folder, found, reader) -> None:
    count = sum(map(len, found.masks.values()))
    if count:
        reader.remark(folder, f"masks next to their images, which are not photos: {count}.")
    if found.alone:
        count = count_of(len(found.alone), "image")
        reader.remark(folder, f"{count} not read: named like masks, and no image belongs to them.")
    if found.regions:
        count = count_of(len(found.regions), "image")
        reader.remark(folder, f"{count} not read: named like regions of interest of others.")
    if found.doubtful:
        message = f"images that are named like masks, such as {found.doubtful[0].name}"
        why = "read as photos, since no image of that name lies beside"
        reader.remark(folder, f"{message}: {len(found.doubtful)}; {why}.")
