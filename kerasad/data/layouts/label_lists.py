"""Lists of labels in or next to a folder of images, which then is not a folder of good images."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from kerasad.data.image_files import FoundImage, is_hidden
from kerasad.data.layouts.label_texts import SUFFIXES, ImageNames, tells_labels
from kerasad.data.layouts.names import Role, read_name
from kerasad.errors import InputError

# Results of this package are handled elsewhere.
_RESULTS = "predictions"
_RUN = "detector.keras"
# A folder of downloads may hold many files that have nothing to do with the images.
_MAX_FILES_BESIDE = 200


def refuse_label_lists(root: Path, images: Sequence[FoundImage]) -> None:
    """Refuses to take all images as good if a file seems to list their labels.

    Args:
        root: The folder that is read.
        images: What was found in it.

    Raises:
        InputError: If images count as good only because no name says otherwise, and a file in the
            folder, or one next to it that names these images, seems to list their labels.
    """
    assumed = [image.path for image in images if image.is_assumed and image.defect == "good"]
    if not assumed:
        return
    names = ImageNames(assumed)
    inside = (path for path in _files_in(root) if tells_labels(path, names))
    beside = (path for path in _files_beside(root) if tells_labels(path, names, must_name=True))
    path = next(inside, None) or next(beside, None)
    if path is not None:
        raise InputError(
            f"{path}: it seems to list which images are good, but all images would count as good: "
            "give a CSV file with the columns path,label instead of the folder, or name the folder "
            "of good images with --good (--good . if all are good; the dot is this folder)."
        )


def _files_in(folder: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if _RUN not in files:
            yield from _candidates(Path(top), files)


def _files_beside(root: Path) -> Iterator[Path]:
    """Yields files of the parent folder, and of annotation folders there or one level above."""
    for folder in dict.fromkeys((root, root.parent)):
        try:
            entries = sorted(os.scandir(folder.parent), key=lambda entry: entry.name)
        except OSError:
            continue
        if folder == root:
            files = [entry.name for entry in entries if not entry.is_dir()]
            yield from list(_candidates(folder.parent, files))[:_MAX_FILES_BESIDE]
        for entry in entries:
            is_other = entry.is_dir() and entry.name != folder.name
            if is_other and read_name(entry.name).surely(Role.MASKS):
                yield from _files_in(Path(entry.path))


def _candidates(folder: Path, files: Sequence[str]) -> Iterator[Path]:
    for name in sorted(files):
        path = folder / name
        is_known = path.suffix.lower() in SUFFIXES and path.stem != _RESULTS
        if is_known and not is_hidden(name) and path.is_file():
            yield path
