"""Layouts of data sets: the registry. Each layout is a file of this folder.

A new layout is a file with a subclass of `Layout`, and one line in `DATA_SETS` or `BY_NAMES`.
"""

from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.btad import BTAD
from kerasad.data.layouts.by_hand import ByHand, Named
from kerasad.data.layouts.by_names import LayoutByNames, Walk, list_walk, walk_through
from kerasad.data.layouts.csv_manifest import CSVManifest
from kerasad.data.layouts.dagm import DAGM
from kerasad.data.layouts.json_lines import JSONLines
from kerasad.data.layouts.kolektor_sdd import KolektorSDD
from kerasad.data.layouts.kolektor_sdd2 import KolektorSDD2
from kerasad.data.layouts.label_lists import refuse_label_lists
from kerasad.data.layouts.lookout import Lookout
from kerasad.data.layouts.magnetic_tile import MagneticTile
from kerasad.data.layouts.mvtec import MVTec
from kerasad.data.layouts.mvtec_ad2 import MVTecAD2
from kerasad.data.layouts.mvtec_loco import MVTecLOCO
from kerasad.data.layouts.plain_folder import PlainFolder
from kerasad.data.layouts.side_by_side import SideBySide
from kerasad.data.layouts.side_files import leave_out_side_files
from kerasad.data.layouts.top_folder import (
    is_called_defective,
    judge_top,
    needs_good,
    refuse_test_part,
)
from kerasad.data.layouts.unread import report_archives, report_unread
from kerasad.data.layouts.user_split import UserSplit
from kerasad.data.layouts.visa import VisA
from kerasad.errors import InputError

__all__ = [
    "LAYOUTS",
    "Layout",
    "Named",
    "category_folders",
    "find_images",
    "find_in_layout",
    "find_layout",
    "is_category",
    "is_manifest",
    "refuse_test_part",
]

# The first one that recognizes a folder reads it: those with more marks of their own come first.
DATA_SETS: tuple[Layout, ...] = (
    CSVManifest(),
    Lookout(),
    JSONLines(),
    MVTecLOCO(),
    MVTecAD2(),
    VisA(),
    BTAD(),
    KolektorSDD(),
    KolektorSDD2(),
    DAGM(),
    MagneticTile(),
    MVTec(),
)
# Last what is only understood by the names of its folders; one walk over the tree tells which.
BY_NAMES: tuple[LayoutByNames, ...] = (UserSplit(), SideBySide())
LAYOUTS = (*DATA_SETS, *BY_NAMES)
# What no layout recognizes is a plain folder of good images, or refused.
_OTHERWISE = PlainFolder()


def find_images(
    root: Path, reader: ImageReader, named: Named, for_test: bool = False
) -> tuple[str, list[FoundImage]]:
    """Lists the images of one category, with what is known of each.

    Args:
        root: The folder, or a file that lists the images.
        reader: `ImageReader`. It collects remarks on what is left out.
        named: `Named`. Folders that the user names.
        for_test: bool. Whether the images are to be tested, and may all be defective.

    Returns:
        The name of the layout, and the images.

    Raises:
        InputError: If it is not certain what a folder holds, or a list of labels lies there.
    """
    if root.is_dir():
        report_archives(root, reader)
    if named:
        layout: Layout = ByHand(named)
        return layout.name, find_in_layout(layout, root, reader)
    layout, walk = _recognize(root)
    if layout is _OTHERWISE and is_called_defective(root):
        if not for_test:
            raise needs_good(root)
        return layout.name, find_in_layout(ByHand(Named(bad=(".",))), root, reader)
    images = find_in_layout(layout, root, reader, walk)
    if layout is _OTHERWISE:
        images = judge_top(root, images, for_test)
    refuse_label_lists(root, images)
    return layout.name, images


def find_in_layout(
    layout: Layout, root: Path, reader: ImageReader, walk: Walk | None = None
) -> list[FoundImage]:
    """Lists the images of one category as a layout reads it, without what is not a photo.

    Args:
        layout: `Layout`.
        root: The folder, or a file that lists the images; what such a list names is a photo.
        reader: `ImageReader`. It collects remarks on what is left out.
        walk: `Walk` or None. What is known of the folder, if it was walked through already.

    Raises:
        InputError: If it is not certain what a folder holds.
    """
    images = layout.find(root, reader) if walk is None else list_walk(root, reader, walk)
    if root.is_file():
        return images
    if not isinstance(layout, ByHand | LayoutByNames):
        report_unread(root, images, reader)
    return leave_out_side_files(images, reader)


def find_layout(root: Path) -> Layout:
    """Returns the layout of a folder or of a file that lists images.

    Raises:
        InputError: If there is no such folder, a file is no list of images, or a folder holds
            several categories.
    """
    return _recognize(root)[0]


def _recognize(root: Path) -> tuple[Layout, Walk | None]:
    """Returns the layout of a folder, and the walk that told it, if one was needed."""
    if not root.exists():
        raise InputError(f"{root}: there is no such folder; give the folder of one category.")
    for layout in DATA_SETS:
        if layout.recognizes(root):
            return layout, None
    if not root.is_dir():
        raise InputError(f"{root}: it is a file; give the folder of one category.")
    walk = walk_through(root)
    for layout in BY_NAMES:
        if layout.fits(walk.found):
            return layout, walk
    _refuse_categories(root, walk)
    return _OTHERWISE, walk


def _refuse_categories(root: Path, walk: Walk) -> None:
    found = walk.found
    if found.questions or found.categories:
        categories = category_folders(root) or found.categories
    else:  # no name deep inside tells good from defective
        categories = [inner for inner in subfolders(root) if _is_data_set(inner)]
    if categories:
        names = ", ".join(folder.relative_to(root).as_posix() for folder in categories)
        raise InputError(
            f"{root}: it holds the categories {names}; give one of these folders, or name folders "
            "of good images with --good."
        )


def category_folders(folder: Path) -> list[Path]:
    """Returns the folders directly inside a folder that a layout recognizes, sorted by name."""
    return [inner for inner in subfolders(folder) if is_category(inner)]


def is_category(root: Path) -> bool:
    """Returns whether a layout recognizes a folder, or a list of images, as one category."""
    if _is_data_set(root):
        return True
    if not root.is_dir():
        return False
    found = walk_through(root).found
    return any(layout.fits(found) for layout in BY_NAMES)


def is_manifest(path: Path) -> bool:
    """Returns whether a path is a file that lists the images of one category."""
    return path.is_file() and _is_data_set(path)


def _is_data_set(root: Path) -> bool:
    return any(layout.recognizes(root) for layout in DATA_SETS)
