"""Masks in folders of their own: which belongs to which image."""

from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from kerasad.data.image_files import ImageReader
from kerasad.data.layouts.names import Role, fold, read_name
from kerasad.data.mask_names import mask_stem, normal_stem, normalize


def match_mask_folders(
    images: Sequence[Path],
    folders: Iterable[Path],
    reader: ImageReader,
    named: Container[Path] = (),
) -> dict[Path, tuple[Path, ...]]:
    """Finds the masks of defective images in folders of masks.

    A mask belongs to the image of its name, with or without an ending such as `_mask`. The folders
    that a mask lies in, below the folder of masks, must be those of the image: `masks/crack/1.png`
    is of `crack/1.png`, and of several such images the one with most folders in common. What could
    be the mask of two images is the mask of neither.

    Args:
        images: The defective images.
        folders: Folders of masks, searched recursively; a mask belongs to images beside its folder.
        reader: `ImageReader`. Masks that belong to no image, or to several, become a remark.
        named: Folders that the user names: their masks belong to images anywhere.

    Returns:
        The masks of each image that has some.
    """
    plain: dict[str, list[tuple[Path, Path]]] = {}
    ended: dict[str, list[tuple[Path, Path]]] = {}
    places = []
    for folder in folders:
        for mask in reader.list_images(folder, recursive=True):
            places.append((folder, mask))
            plain.setdefault(normal_stem(mask), []).append((folder, mask))
            if (of_photo := mask_stem(mask)) is not None:
                ended.setdefault(of_photo, []).append((folder, mask))
    owners: dict[Path, list[Path]] = {}
    for image in images:
        stem = normal_stem(image)
        candidates = ended.get(normalize(image.name)) or [
            *ended.get(stem, ()),
            *plain.get(stem, ()),
        ]
        for mask in _best(image, candidates, named):
            owners.setdefault(mask, []).append(image)
    found: dict[Path, tuple[Path, ...]] = {}
    for mask, of_images in owners.items():
        if len(of_images) == 1:
            found[of_images[0]] = (*found.get(of_images[0], ()), mask)
    _report_unused(places, owners, reader)
    return found


def _best(image: Path, candidates: list[tuple[Path, Path]], named: Container[Path]) -> list[Path]:
    """Returns the masks that have most folders in common with an image, all of them its own."""
    rated = []
    for folder, mask in candidates:
        names = [fold(name) for name in mask.parent.relative_to(folder).parts]
        names = [name for name in names if not read_name(name).surely(Role.MASKS, Role.NEUTRAL)]
        is_near = folder in named or folder.parent in image.parents
        own = {fold(name) for name in image.parent.parts}
        if is_near and own.issuperset(names):
            rated.append((len(names), mask))
    most = max((count for count, _ in rated), default=0)
    return [mask for count, mask in rated if count == most]


def _report_unused(places, owners, reader) -> None:
    for folder in dict.fromkeys(folder for folder, _ in places):
        masks = [mask for top, mask in places if top == folder]
        shared = sorted(mask for mask in masks if len(owners.get(mask, ())) > 1)
        unused = sorted(mask for mask in masks if mask not in owners)
        if shared:
            message = f"masks that fit more than one image and are not used: {len(shared)}, such as"
            reader.remark(folder, f"{message} {shared[0].name}.")
        if unused:
            message = f"masks without a defective image of their name: {len(unused)}, such as"
            reader.remark(folder, f"{message} {unused[0].name}.")
