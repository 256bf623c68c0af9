"""Which files of a folder are images, which look like some, and which are something else."""

import os
from collections.abc import Iterator
from pathlib import Path

from kerasad.data.image_record import Problem
from kerasad.errors import InputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
# Pictures all the same, so that leaving them out silently would surprise.
_OTHER_SUFFIXES = frozenset(
    (".webp", ".gif", ".jp2", ".j2k", ".jxl", ".heic", ".heif", ".avif", ".ppm", ".pgm", ".pbm")
    + (".pnm", ".tga", ".exr", ".hdr", ".svg", ".psd", ".dng", ".raw", ".ico", ".jfif", ".dib")
)


def list_images(folder: Path, *, recursive: bool = False) -> tuple[list[Path], list[Problem]]:
    """Lists the image files of a folder by their suffix, in the order of their names.

    Names that begin with a dot are passed over. Links to folders are followed, each folder once,
    so that a loop of links ends.

    Args:
        folder: The folder.
        recursive: bool. Also search the folders inside; then only pictures of unknown types are
            problems. Otherwise everything that isn't an image is.

    Returns:
        (paths, problems).

    Raises:
        InputError: If the folder itself can't be read.
    """
    try:
        entries = list(_walk(Path(folder), recursive))
    except OSError as error:
        raise InputError(f"{folder}: the folder can't be read ({error.strerror}).") from error
    paths, problems = [], []
    for entry in sorted(entries, key=lambda entry: entry.as_posix()):
        problem = _judge(entry, recursive)
        if problem is not None:
            problems.append(problem)
        elif entry.suffix.lower() in IMAGE_SUFFIXES:
            paths.append(entry)
    return paths, problems


def subfolders(folder: Path) -> list[Path]:
    """The folders directly inside a folder, by name; none if it doesn't exist."""
    if not folder.is_dir():
        return []
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    return sorted(entry for entry in entries if entry.is_dir())


def category_folders(folder: Path) -> list[Path]:
    """The folders directly inside a folder that are categories in MVTec layout, by name."""
    return [inner for inner in subfolders(folder) if (inner / "train" / "good").is_dir()]


def _walk(top: Path, recursive: bool) -> Iterator[Path]:
    """All entries but those with a dot, and of folders only those that aren't searched."""
    waiting, seen = [top], set()
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            names = sorted(os.listdir(folder))
        except OSError:
            if folder == top:
                raise
            yield folder
            continue
        for name in names:
            path = folder / name
            if name.startswith("."):
                continue
            if recursive and path.suffix.lower() not in IMAGE_SUFFIXES and os.path.isdir(path):
                waiting.append(path)
            else:
                yield path


def _judge(path: Path, recursive: bool) -> Problem | None:
    """What is wrong with this entry before it is opened, if anything."""
    suffix = path.suffix.lower()
    name = str(path).encode(errors="backslashreplace").decode()
    if name != str(path):
        return Problem(name, f"{name}: its name isn't valid UTF-8; rename the file.")
    if os.path.isdir(path):
        if suffix in IMAGE_SUFFIXES:
            return Problem(name, f"{name}: it is a folder, not an image; rename it.")
        if recursive:
            return Problem(name, f"{name}: the folder can't be read.")
        return Problem(name, f"{name}: folders inside a class aren't read.", broken=False)
    if suffix in _OTHER_SUFFIXES:
        kinds = "PNG, JPEG, BMP and TIFF"
        return Problem(name, f"{name}: {suffix} images can't be read, only {kinds}; convert it.")
    if suffix not in IMAGE_SUFFIXES and not recursive:
        return Problem(name, f"{name}: it isn't an image.", broken=False)
    return None
