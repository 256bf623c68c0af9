"""What a folder holds that is not read: archives, and images without a place in a layout."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kerasad.console import count_of
from kerasad.data.image_files import FoundImage, ImageReader, is_hidden, printable
from kerasad.data.layouts.names import Role, read_name
from kerasad.data.mask_names import mask_stem, normal_stem

_ARCHIVES = frozenset((".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz"))
_VIDEOS = frozenset((".mp4", ".avi", ".mov", ".mkv", ".wmv", ".m4v", ".mpg", ".mpeg", ".webm"))


def report_archives(root: Path, reader: ImageReader) -> None:
    """Remarks on archives and videos in a folder, which may hold more images.

    Args:
        root: The folder.
        reader: `ImageReader`.
    """
    for top, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for suffixes, what, remedy in (
            (_ARCHIVES, "archives", "unpack them if there are images inside"),
            (_VIDEOS, "videos", "save their frames as images if they matter"),
        ):
            found = sorted(n for n in files if Path(n).suffix.lower() in suffixes)
            if found:
                first = printable(Path(found[0]))
                message = f"{what} are not read: {len(found)}, such as {first}; {remedy}."
                reader.remark(printable(Path(top)), message)


def report_unread(root: Path, images: Sequence[FoundImage], reader: ImageReader) -> None:
    """Remarks on images that a layout does not read, in one line for each folder.

    Masks are none of them, nor are images in a folder on which there is a remark already, or on one
    of its files.

    Args:
        root: The folder.
        images: What the layout has found.
        reader: `ImageReader`.
    """
    known = {path for image in images for path in (image.path, *image.masks)}
    stems = {(image.path.parent, normal_stem(image.path)) for image in images}
    told = {problem.path for problem in reader.problems}
    told |= {os.path.dirname(path) for path in told if os.path.isfile(path)}
    unread: Counter[Path] = Counter()
    for path in ImageReader(root).list_images(root, recursive=True):
        folders = [folder for folder in path.parents if folder.is_relative_to(root)]
        is_mask = (
            mask_stem(path) is not None
            or (path.parent, normal_stem(path)) in stems
            or any(read_name(folder.name).surely(Role.MASKS) for folder in folders[:-1])
        )
        is_told = not told.isdisjoint(map(str, (path, *folders[:-1])))
        if path not in known and not is_mask and not is_told:
            unread[path.parent] += 1
    for folder, count in unread.items():
        reader.remark(
            folder, f"{count_of(count, 'image')} not read: the layout has no place for them."
        )
