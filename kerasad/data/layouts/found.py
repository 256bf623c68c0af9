"""From the folders of a tree to its images, each with its label, its part and its masks."""

from collections.abc import Iterable
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.folders import Found, FoundFolder
from kerasad.data.layouts.names import Role, fold, read_name
from kerasad.data.layouts.side_masks import mask_stem, normal_stem
from kerasad.data.layouts.top_folder import masks_around
from kerasad.errors import InputError


def list_found(root: Path, reader: ImageReader, found: Found) -> list[FoundImage]:
    """Lists the images of a tree.

    Args:
        root: The top folder.
        reader: `ImageReader`. Masks that belong to no image become a remark.
        found: `Found`.

    Raises:
        InputError: If it is not certain what a folder holds.
    """
    if found.questions:
        raise InputError(found.questions[0])
    defective = [
        path
        for folder in found.folders
        if folder.place.defect not in (None, "good")
        for path in folder.images
    ]
    masks = _match_masks(defective, found.mask_folders, reader)
    if not found.mask_folders:
        # A part of a data set may be given alone; its masks lie beside it.
        silent = ImageReader(root)
        masks = _match_masks(defective, masks_around(root), silent)
    return [image for folder in found.folders for image in _describe(folder, masks)]


def _describe(folder: FoundFolder, masks: dict[Path, tuple[Path, ...]]) -> Iterable[FoundImage]:
    place = folder.place
    for path in folder.images:
        own = (*folder.masks.get(path, ()), *masks.get(path, ()))
        yield FoundImage(
            path,
            place.defect,
            own if place.defect not in (None, "good") else (),
            part=place.part,
            by_position=place.by_position,
        )


def _match_masks(
    images: list[Path], folders: Iterable[Path], reader: ImageReader
) -> dict[Path, tuple[Path, ...]]:
    """Finds the masks of defective images in folders of masks.

    A mask belongs to the image of its name, with or without an ending such as `_mask`. The folders
    that a mask lies in, below the folder of masks, must be those of the image: `masks/crack/1.png`
    is of `crack/1.png`, and of several such images the one with most folders in common.
    """
    places: dict[str, list[tuple[Path, Path]]] = {}
    for folder in folders:
        for mask in reader.list_images(folder, recursive=True):
            stem = mask_stem(mask) or normal_stem(mask)
            places.setdefault(stem, []).append((folder, mask))
    owners: dict[Path, list[Path]] = {}
    for image in images:
        for mask in _best(image, places.get(normal_stem(image), [])):
            owners.setdefault(mask, []).append(image)
    found: dict[Path, tuple[Path, ...]] = {}
    for mask, of_images in owners.items():
        if len(of_images) == 1:
            found[of_images[0]] = (*found.get(of_images[0], ()), mask)
    _report_unused(places, owners, reader)
    return found


def _best(image: Path, candidates: list[tuple[Path, Path]]) -> list[Path]:
    """Returns the masks that have most folders in common with an image, all of them its own."""
    rated = []
    for folder, mask in candidates:
        names = [fold(name) for name in mask.parent.relative_to(folder).parts]
        names = [name for name in names if not read_name(name).surely(Role.MASKS, Role.NEUTRAL)]
        scope = folder.parent
        own = {fold(name) for name in image.parent.parts}
        if scope in image.parents and own.issuperset(names):
            rated.append((len(names), mask))
    most = max((count for count, _ in rated), default=0)
    return [mask for count, mask in rated if count == most]


def _report_unused(places, owners, reader) -> None:
    for folder in {folder for pairs in places.values() for folder, _ in pairs}:
        masks = [mask for pairs in places.values() for top, mask in pairs if top == folder]
        shared = sorted(mask for mask in masks if len(owners.get(mask, ())) > 1)
        unused = sorted(mask for mask in masks if mask not in owners)
        if shared:
            message = f"masks of several images each, which count for none: {len(shared)}, such as"
            reader.remark(folder, f"{message} {shared[0].name}.")
        if unused:
            message = f"masks without a defective image of their name: {len(unused)}, such as"
            reader.remark(folder, f"{message} {unused[0].name}.")
