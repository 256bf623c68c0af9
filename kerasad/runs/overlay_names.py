"""The name of each overlay: no two are one file, and no file of the user is replaced."""

import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from kerasad.data.earlier_results import OVERLAY, name_key

USUAL_LIMIT = 255
"""Bytes that the name of a file may have on most file systems."""


def overlay_names(
    relative_paths: Sequence[str],
    is_taken: Callable[[PurePosixPath], bool] = lambda name: False,
    limit: int = USUAL_LIMIT,
) -> list[PurePosixPath]:
    """Returns the path of each overlay, `<relative path>_overlay.png`.

    The suffix of the image is left out, unless another name would then be the same to some file
    system. A name that is taken gets a number: `<relative path>-2_overlay.png`. One that is too
    long is cut, and a hash makes it unique.

    Args:
        relative_paths: The images; all paths differ.
        is_taken: function of a path. Whether it must not be replaced.
        limit: int. Bytes that a name may have.
    """
    paths = [PurePosixPath(path) for path in relative_paths]
    without_suffix = [_name(path, path.stem, limit) for path in paths]
    with_suffix = [_name(path, path.name, limit) for path in paths]
    count = Counter(map(name_key, without_suffix))
    reserved = set(map(name_key, with_suffix))
    wanted = [
        short if count[name_key(short)] == 1 and name_key(short) not in reserved else whole
        for short, whole in zip(without_suffix, with_suffix, strict=True)
    ]
    reserved = set(map(name_key, wanted))
    used, names = set(), []
    for path, name in zip(paths, wanted, strict=True):
        if name_key(name) in used or is_taken(name):
            stem = name.name.removesuffix(OVERLAY)
            numbered = (_name(path, stem, limit, f"-{number}") for number in itertools.count(2))
            name = next(
                other
                for other in numbered
                if name_key(other) not in used
                and name_key(other) not in reserved
                and not is_taken(other)
            )
        used.add(name_key(name))
        names.append(name)
    return names


def name_limit(folder: Path) -> int:
    """Returns how many bytes the name of a file in a folder may have."""
    try:
        return min(USUAL_LIMIT, os.pathconf(folder, "PC_NAME_MAX"))
    except (AttributeError, OSError, ValueError):  # Windows, or a file system that does not say
        return USUAL_LIMIT


def _name(path: PurePosixPath, stem: str, limit: int, number: str = "") -> PurePosixPath:
    room = limit - len((number + OVERLAY).encode())
    if len(stem.encode()) > room:
        code = "-" + hashlib.sha256(str(path).encode()).hexdigest()[:8]
        # Cut between letters, each of which may be several bytes.
        stem = stem.encode()[: room - len(code)].decode(errors="ignore") + code
    return path.with_name(stem + number + OVERLAY)
