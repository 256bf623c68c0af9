"""Masks that lie beside their photos, known by their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasad.data.mask_names import mask_stem, normal_stem, normalize, region_stem


@dataclass(frozen=True)
class Separated:
    """The images of one folder.

    Args:
        photos: list of Path.
        masks: dict. The masks beside them, by photo.
        alone: list of Path. Masks of no photo, or of two.
        doubtful: list of Path. Photos that are named like masks, if others are not.
        regions: list of Path. What marks the region of interest of a photo, not its defects.
    """

    photos: list[Path]
    masks: dict[Path, tuple[Path, ...]]
    alone: list[Path]
    doubtful: list[Path]
    regions: list[Path]


def separate_masks(images: Sequence[Path]) -> Separated:
    """Separates the photos of a folder from the masks beside them.

    A name like `face_mask.png` is that of a mask only if `face.png` or the like lies beside it, or
    if others of such names are masks of photos.

    Args:
        images: The image files of one folder.
    """
    stems = {normal_stem(path) for path in images}
    regions = {path for path in images if region_stem(path) in stems}
    images = [path for path in images if path not in regions]
    by_name: dict[str, list[Path]] = {}
    masks: dict[Path, tuple[Path, ...]] = {}
    alone = []
    # The name of a mask is longer than that of its photo, which comes first.
    for path in sorted(images, key=lambda path: (len(path.stem), path)):
        stem = mask_stem(path)
        owners = by_name.get(stem, []) if stem is not None else []
        if len(owners) == 1:
            masks[owners[0]] = (*masks.get(owners[0], ()), path)
        elif owners:
            # A mask of two photos is of neither.
            alone.append(path)
        else:
            for name in {normalize(path.name), normal_stem(path)}:
                by_name.setdefault(name, []).append(path)
    known = {mask for of_photo in masks.values() for mask in of_photo} | set(alone)
    unclear = [p for p in images if p not in known | masks.keys() and mask_stem(p) is not None]
    if any(mask_stem(photo) is None for photo in masks):
        alone += unclear
        unclear = []
    photos = [path for path in images if path not in known and path not in alone]
    return Separated(
        photos, masks, alone, unclear if len(unclear) < len(photos) else [], sorted(regions)
    )
