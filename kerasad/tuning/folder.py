"""The folder of a search: what is in it, whose it is, and how it begins."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasad.errors import InputError
from kerasad.files import locked, read_json, refuse_wildcards, write_json
from kerasad.training.config import describe_difference
from kerasad.tuning.tuner import STATE

SEARCH = "search.json"
TRIALS = "trials.json"
BEST = "best_config.json"

_OWN = (STATE, TRIALS, BEST, SEARCH)
"""In the order in which they are deleted: as long as anything is left, it is known as a search."""


@contextlib.contextmanager
def search_folder(folder: Path, asked: dict[str, Any], overwrite: bool) -> Iterator[None]:
    """Begins a search in a folder or takes it up, and keeps every other process out of it.

    Args:
        folder: Path.
        asked: dict. What the search depends on; it is written to `search.json`.
        overwrite: bool. Delete the files of an earlier search, and no others.

    Raises:
        InputError: The folder cannot be used; see `check_folder`.
    """
    check_folder(folder, asked, overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error}.") from error
    with locked(folder) as is_ours:
        if not is_ours:
            raise InputError(
                f"{folder} is being searched by another process: wait for its end, or choose "
                "another --output."
            )
        try:
            _clean(folder, overwrite)
            write_json(folder / SEARCH, asked)
        except OSError as error:
            raise InputError(f"{folder} cannot be written: {error}.") from error
        yield


def check_folder(folder: Path, asked: dict[str, Any], overwrite: bool) -> None:
    """Refuses a folder with anything but the same search, or one of fewer trials.

    Raises:
        InputError: The message says what differs.
    """
    refuse_wildcards(folder)
    if not folder.exists():
        return
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else ["a file"]
    names = [name for name in names if not _is_temporary(name)]
    if not names:
        return
    if SEARCH not in names:
        # Stopped while it was being deleted, the folder holds nothing that is not a search's.
        if overwrite and set(names) <= set(_OWN):
            return
        raise InputError(f"{folder} exists and is not a search: choose another --output.")
    if overwrite:
        return
    found = read_json(folder / SEARCH)
    if asked["tuner"] != "hyperband" and asked["trials"] >= found.get("trials", 0):
        found["trials"] = asked["trials"]  # more of them go on where it ended
    difference = describe_difference(found, asked)
    if difference is not None:
        what = "of other images" if difference.startswith("`images`") else difference
        raise InputError(
            f"{folder} holds another search ({what}): choose another --output, or pass --overwrite."
        )


def _clean(folder: Path, overwrite: bool) -> None:
    """Deletes an earlier search if asked to, and what a process killed while it wrote left."""
    if overwrite:
        for name in _OWN:
            path = folder / name
            if path.is_dir():
                # Out of the way in one step: half a state would be taken for one to continue.
                aside = folder / f".{name}.partial-{os.getpid()}"
                os.replace(path, aside)
                shutil.rmtree(aside)
            else:
                path.unlink(missing_ok=True)
    for path in folder.iterdir():
        if _is_temporary(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (folder / STATE).rglob(".*.partial-*"):
        path.unlink(missing_ok=True)


def _is_temporary(name: str) -> bool:
    stems = [Path(own).stem for own in _OWN]
    return any(name.startswith(f".{stem}.partial-") for stem in stems)
