"""The photos of a folder without labels of its own: the masks of a data set in it are none."""

import os
from collections.abc import Sequence
from pathlib import Path

from kerasad.console import count_of
from kerasad.data.earlier_results import is_named_like_overlay
from kerasad.data.image_files import ImageReader
from kerasad.data.layouts import category_folders, find_in_layout, find_layout, is_category
from kerasad.data.layouts.names import Role, read_name
from kerasad.data.layouts.side_masks import separate_masks
from kerasad.errors import InputError


class PhotoLister:
    """Lists the images of folders, searched recursively, without what is surely a mask.

    Masks are what a data set has as such, if a layout recognizes the folder or one directly inside;
    what lies in a folder called so; and what is named after an image beside it. All else is a
    photo, labelled or not.

    Attributes:
        masks: list of Path. What was left out so far.
    """

    def __init__(self):
        self.masks: list[Path] = []

    def list(self, folder: Path, reader: ImageReader) -> list[Path]:
        """Returns the photos of a folder.

        Args:
            folder: The folder. Its own name does not count.
            reader: `ImageReader`. It gets remarks on files that cannot be read.

        Raises:
            InputError: The folder cannot be read.
        """
        files = reader.list_images(folder, recursive=True)
        photos, masks = _ask_layouts(folder)
        masks |= _masks_beside(files) - photos
        stems = {(path.parent, path.stem) for path in photos}

        def is_mask(path):
            real = Path(os.path.realpath(path))
            if real in photos:
                return False
            inside = path.parent.relative_to(folder).parts
            return (
                real in masks
                or any(read_name(name).surely(Role.MASKS) for name in inside)
                # Magnetic tile has a mask under the name of each photo, in another format.
                or (real.parent, real.stem) in stems
            )

        left_out = [path for path in files if is_mask(path)]
        if len(left_out) == len(files):  # such as a product that is called `label`
            return files
        self.masks += left_out
        return [path for path in files if path not in set(left_out)]


def list_defective(folder: Path, reader: ImageReader) -> list[Path]:
    """Lists the photos of a folder of defective images, without masks and earlier results.

    Args:
        folder: The folder. Its own name does not count.
        reader: `ImageReader`. It gets remarks on what is left out.

    Raises:
        InputError: The folder cannot be read.
    """
    lister = PhotoLister()
    images = lister.list(folder, reader)
    photos = [path for path in images if not _is_result(path, folder)]
    for count, what in (
        (len(lister.masks), "masks"),
        (len(images) - len(photos), "overlays of `kerasad predict`"),
    ):
        if count:
            reader.remark(folder, f"{count_of(count, 'image')} not read: {what}.")
    return photos


def _is_result(path: Path, folder: Path) -> bool:
    inside = path.parent.relative_to(folder).parts
    return is_named_like_overlay(path) or any(
        read_name(name).surely(Role.RESULTS) for name in inside
    )


def _masks_beside(files: Sequence[Path]) -> set[Path]:
    """Returns the masks that are named after images beside them, without links in their paths."""
    folders: dict[Path, list[Path]] = {}
    for path in files:
        folders.setdefault(path.parent, []).append(path)
    separated = [separate_masks(paths) for paths in folders.values()]
    masks = [mask for found in separated for group in found.masks.values() for mask in group]
    masks += [mask for found in separated for mask in (*found.alone, *found.regions)]
    return {Path(os.path.realpath(mask)) for mask in masks}


def _ask_layouts(folder: Path) -> tuple[set[Path], set[Path]]:
    """Returns (photos, masks) of the data sets in a folder, without links in their paths."""
    photos: set[Path] = set()
    masks: set[Path] = set()
    try:
        roots = [folder] if is_category(folder) else category_folders(folder)
    except (InputError, OSError):
        return photos, masks
    for root in roots:
        try:
            images = find_in_layout(find_layout(root), root, ImageReader(root, verify=False))
        except (InputError, OSError):
            # What is not certain matters to a training; a photo is scored whatever it shows.
            continue
        photos.update(Path(os.path.realpath(image.path)) for image in images)
        masks.update(Path(os.path.realpath(mask)) for image in images for mask in image.masks)
    return photos, masks - photos
