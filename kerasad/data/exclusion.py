"""Good files that the user leaves out of training and calibration."""

import difflib
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, ImageRecord, printable, relative_path
from kerasad.data.problems import Problem
from kerasad.errors import InputError


def find_excluded(
    names: Iterable[str], images: Sequence[FoundImage], reader: ImageReader
) -> dict[Path, str]:
    """Returns the images that the user leaves out, with their paths below the data folder.

    Each is remarked as excluded.

    Args:
        names: Paths of files, below the data folder, below the working folder or absolute; or ends
            of paths, such as a file's name, if only one good image has it.
        images: All images that were found.
        reader: `ImageReader` of the data.

    Raises:
        InputError: A name is that of no good image, or may mean several.
    """
    excluded: dict[Path, str] = {}
    for name in names:
        image = _find(name, images, reader.root)
        if image.path not in excluded:
            excluded[image.path] = relative_path(image.path, reader.root)
            _remark(image.path, "excluded.", reader)
    return excluded


def without_excluded(
    records: Iterable[ImageRecord], excluded: Mapping[Path, str], reader: ImageReader
) -> list[ImageRecord]:
    """Returns the records that are not copies of an excluded file; copies are remarked.

    Args:
        records: The good images that are left.
        excluded: What `find_excluded` has found.
        reader: `ImageReader` of the data.
    """
    hashes = {_hash(path): name for path, name in excluded.items()}
    kept = []
    for record in records:
        if record.content_hash in hashes:
            original = hashes[record.content_hash]
            _remark(Path(record.path), f"excluded, as the same image as {original}.", reader)
        else:
            kept.append(record)
    return kept


def _find(name: str, images: Sequence[FoundImage], root: Path) -> FoundImage:
    for folder in (root, Path.cwd()):
        path = os.path.abspath(folder / Path(name).expanduser())
        found = [image for image in images if str(image.path) == path]
        found = found or [i for i in images if os.path.realpath(i.path) == os.path.realpath(path)]
        if found:
            return _check(name, found[0])
    good = {relative_path(image.path, root): image for image in images if _is_good(image)}
    end = f"/{Path(name).as_posix()}"
    ways = [known for known in good if known.endswith(end)]
    if len(ways) == 1:
        return good[ways[0]]
    if ways:
        raise InputError(
            f"`exclude` names {name}, and {len(ways)} good images have this name, such as "
            f"{ways[0]} and {ways[1]}: name the folder, too."
        )
    raise InputError(
        f"`exclude` names {name}, and none of the {len(good)} good images in {root} has this name"
        + _describe_nearest(name, list(good))
    )


def _check(name, image):
    if not _is_good(image):
        what = "is a test image" if image.defect == "good" else "is not among the good images"
        raise InputError(f"`exclude` names {name}, which {what} and trains nothing: leave it out.")
    return image


def _is_good(image):
    return image.defect == "good" and image.part != "test"


def _describe_nearest(name: str, known: Sequence[str]) -> str:
    names = {path.rpartition("/")[2]: path for path in known}
    near = difflib.get_close_matches(Path(name).as_posix(), known, n=1)
    near = near or [
        names[end] for end in difflib.get_close_matches(Path(name).name, list(names), n=1)
    ]
    return f"; the nearest is {near[0]}." if near else ": name a file that `inspect-data` shows."


def _hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # what cannot be read trains nothing
        return None


def _remark(path: Path, message: str, reader: ImageReader) -> None:
    name = printable(path)
    # Of a kind of its own: each file has a line in the table.
    reader.problems.append(Problem(name, f"{name}: {message}", False, f"excluded {name}"))
