"""Real defects that the weights of experts are chosen on: found, and taken out of the test set."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from kerasad.data.decoding import Decoding
from kerasad.data.image_files import ImageRecord
from kerasad.data.index import CategoryIndex, read_category, read_images, read_labelled
from kerasad.data.layouts import is_manifest
from kerasad.errors import InputError

MIN_DEFECTS = 8
"""Fewer defective images decide nothing."""


def find_real_defects(
    names: Sequence[str | os.PathLike],
    index: CategoryIndex,
    *,
    on_bad: str = "skip",
    decoding: Decoding = Decoding(),
) -> tuple[ImageRecord, ...]:
    """Returns the defective images that the user names, one of each content.

    Args:
        names: Folders, lists of images, or files; paths start from the data or the working folder,
            or are ends of paths that only one test image has. What is also a test image of the
            data, by content, has its mask.
        index: `CategoryIndex` of the data.
        on_bad, decoding: See `read_category`.

    Raises:
        InputError: A name is that of no image, an image is good, or there are fewer than
            `MIN_DEFECTS`.
    """
    tests = {record.content_hash: record for record in index.test}
    good = {record.content_hash: record.path for record in index.good}
    good |= {record.content_hash: record.path for record in index.test if not record.label}
    options = {"on_bad": on_bad, "decoding": decoding}
    found: dict[str, ImageRecord] = {}
    for name in names:
        for record in _read(os.fspath(name), index, options):
            if record.content_hash in good:
                raise InputError(
                    f"`tune_with` names {record.path}, and the same image is among the good ones "
                    f"({good[record.content_hash]}): name defective images only."
                )
            found.setdefault(record.content_hash, tests.get(record.content_hash, record))
    if len(found) < MIN_DEFECTS:
        raise InputError(
            f"`tune_with` names {len(found)} different defective images, and at least "
            f"{MIN_DEFECTS} are needed to choose anything: name more, or leave it out."
        )
    return tuple(sorted(found.values(), key=lambda record: record.path))


def _read(name: str, index: CategoryIndex, options: dict) -> Sequence[ImageRecord]:
    """Returns the images of one name."""
    root = Path(index.root)
    root = root.parent if root.is_file() else root
    for folder in (root, Path.cwd()):
        path = Path(os.path.abspath(folder / Path(name).expanduser()))
        if path.is_dir() or is_manifest(path):
            real = Path(os.path.realpath(path))
            inside = [each for each in index.test if _is_in(each, real)]
            return inside or _read_outside(path, options)
        if path.is_file():
            records, problems = read_images(path, **options)
            if not records:
                raise InputError(f"`tune_with`: {problems[0].message}")
            return [dataclasses.replace(records[0], label=1, defect="labelled")]
    end = f"/{Path(name).as_posix()}"
    ways = [each for each in index.test if f"/{each.relative_path}".endswith(end)]
    if len(ways) != 1:
        what = f"{len(ways)} test images have" if ways else "no file, folder or test image has"
        raise InputError(
            f"`tune_with` names {name}, and {what} this name: give the path of a defective image "
            "or of a folder of them."
        )
    return ways


def _is_in(record: ImageRecord, folder: Path) -> bool:
    return Path(os.path.realpath(record.path)).is_relative_to(folder)


def _read_outside(path: Path, options: dict) -> Sequence[ImageRecord]:
    """Returns the defective images of a folder or list that is not in the data."""
    try:
        found = read_category(path, for_test=True, **options)
    except InputError:
        found = None  # such as photos whose kind no name tells
    defective = [record for record in found.test if record.label] if found else []
    if not defective:
        return read_labelled(path, **options)[0]
    good = [*found.good, *(record for record in found.test if not record.label)]
    if good:
        raise InputError(
            f"`tune_with` names {path}, which has good images such as {good[0].path}: name "
            "defective images only."
        )
    return defective
