"""Overlays that `kerasad predict` drew: a picture of a result is never read as a photo.

The folder of a prediction says which they are: its `predictions.jsonl` names the overlay of each
image. A picture of the same name in a folder without such a list is a photo like any other.
"""

import os
import unicodedata
from pathlib import Path, PurePosixPath

from kerasad.errors import InputError
from kerasad.files import parse_json

PREDICTIONS = "predictions.jsonl"
OVERLAY = "_overlay.png"
"""The name of every overlay ends like this; a list that names anything else is not believed."""
WORK = ".predictions.partial"
"""In the folder of a prediction: where a prediction keeps its results until all are there."""
UNUSUAL = "unusual"
"""In a RUN: the folder of pictures of the good photos that its training tells to look at."""
_OF_RUN = "detector.keras"


def read_overlays(path: Path) -> set[PurePosixPath]:
    """Returns the overlays that a list names, as paths below its folder; none if there is no list.

    Raises:
        InputError: The list cannot be read.
    """
    try:
        if not path.is_file():
            return set()
        with path.open(encoding="utf-8", errors="replace") as lines:
            return set(filter(None, map(_read_overlay, lines)))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}), and it names the pictures that are no "
            "photos: make it readable, or delete it."
        ) from error


def _read_overlay(line: str) -> PurePosixPath | None:
    try:
        name = parse_json(line)["overlay"]
    except (ValueError, TypeError, KeyError):  # a file without a result, or a damaged line
        return None
    if not isinstance(name, str) or not name.endswith(OVERLAY):
        return None
    path = PurePosixPath(name)
    return None if path.is_absolute() or ".." in path.parts else path


class ListedOverlays:
    """The overlays that the list in a folder names.

    Args:
        folder: Path. A folder, with a list or without.

    Raises:
        InputError: The list cannot be read.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._names: dict[str, list[PurePosixPath]] = {}
        # A prediction that was killed while it put its results in place has its list in `WORK`.
        for path in (folder / PREDICTIONS, folder / WORK / PREDICTIONS):
            for name in read_overlays(path):
                self._names.setdefault(name_key(name), []).append(name)

    def __contains__(self, name: PurePosixPath) -> bool:
        """Whether a path below the folder is one of them."""
        listed = self._names.get(name_key(name), ())
        return any(is_same_file(self.folder / name, self.folder / other) for other in listed)


class EarlierResults:
    """The overlays of all earlier predictions; the list of each folder is read once."""

    def __init__(self):
        self._lists: dict[Path, ListedOverlays] = {}

    def __contains__(self, path: str | os.PathLike) -> bool:
        """Whether a file is an overlay that the list of a folder above it names."""
        path = Path(os.path.abspath(path))
        if not path.name.endswith(OVERLAY):
            return False
        # A link to a folder inside that of a prediction leads to its results, too.
        ways = {path, Path(os.path.realpath(path.parent), path.name)}
        return any(self._lists_it(folder, way) for way in ways for folder in way.parents)

    def _lists_it(self, folder: Path, path: Path) -> bool:
        if folder not in self._lists:
            self._lists[folder] = ListedOverlays(folder)
        return PurePosixPath(path.relative_to(folder).as_posix()) in self._lists[folder]


def is_named_like_overlay(path: Path) -> bool:
    """Returns whether a name is that of an overlay, in whatever format."""
    return path.stem.casefold().endswith(Path(OVERLAY).stem)


def is_picture_of_run(path: Path) -> bool:
    """Returns whether `kerasad train` has written a picture into its RUN."""
    folder = path.parent
    is_there = folder.name == UNUSUAL and (folder.parent / _OF_RUN).is_file()
    return is_there and is_named_like_overlay(path)


def name_key(path: PurePosixPath) -> str:
    """Returns what all paths have in common that some file system takes for one.

    Those of macOS and Windows ignore case, and that of macOS how accents are encoded.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", str(path)).casefold())


def is_same_file(path: Path, other: Path) -> bool:
    """Returns whether two paths are equal, or lead to one file."""
    try:
        return path == other or os.path.samefile(path, other)
    except OSError:
        return False
