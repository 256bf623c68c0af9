"""The folder that `predict` writes to: all results of one prediction, or all of the one before.

Results are gathered in a hidden folder in it. When all are there, a mark is set, and they are
moved into place. A process that is killed before the mark changes nothing. If it is killed after
the mark, the next prediction moves the rest.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from kerasad.data.earlier_results import (
    PREDICTIONS,
    WORK,
    is_same_file,
    name_key,
    read_overlays,
)
from kerasad.errors import InputError
from kerasad.files import replace_file
from kerasad.locks import can_lock, lock_folder
from kerasad.runs.result_files import OVERLAYS, TABLE, ResultFiles

COMPLETE = "complete"


@contextlib.contextmanager
def replace_results(output: Path) -> Iterator[ResultFiles]:
    """Yields files for new results, which replace the former ones if the block succeeds.

    Former results are the overlays that `predictions.jsonl` of the folder names, this list and the
    table. No other file of the folder is touched.

    Args:
        output: Path. An absolute path of a folder, which is created.

    Raises:
        InputError: Another process predicts into this folder.
        OSError: The disk or the folder refuses; it names a path in `output`.
    """
    is_new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    work = output / WORK
    with contextlib.ExitStack() as stack:
        handle = _take(work)
        if handle is not None:
            stack.callback(os.close, handle)
        try:
            if (work / COMPLETE).exists():
                _put_in_place(work, output)
            _empty(work)
            with ResultFiles(work, output) as files:
                yield files
                files.finish()
            with replace_file(work / COMPLETE) as mark:
                mark.touch()
            _put_in_place(work, output)
        finally:
            if not (work / COMPLETE).exists():
                shutil.rmtree(work, ignore_errors=True)
                if is_new:
                    with contextlib.suppress(OSError):  # it holds results
                        output.rmdir()


def _take(work: Path) -> int | None:
    """Makes the hidden folder and locks it; returns None if the file system has no locks."""
    while True:
        with _named_as(work.parent):
            work.mkdir(exist_ok=True)
        handle = lock_folder(work)
        if handle is not None:
            return handle
        if can_lock(work):
            raise InputError(
                f"{work.parent} is used by another `kerasad predict`: wait until it ends, or "
                "choose another --output."
            )
        if work.is_dir():  # else the other process has just removed it
            return None


def _empty(work: Path) -> None:
    """Removes what a killed process has left; the folder stays, since it is locked."""
    for entry in work.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _put_in_place(work: Path, output: Path) -> None:
    """Replaces the former results; called again after it was stopped, it does what is left."""
    if (work / PREDICTIONS).exists():
        names = read_overlays(work / PREDICTIONS)
        by_key = {name_key(name): name for name in names}
        for former in read_overlays(output / PREDICTIONS) - names:
            # Where case does not count, it may be a new overlay by another name.
            other = by_key.get(name_key(former))
            if other is None or not is_same_file(output / former, output / other):
                _remove(output / former, output)
        for name in sorted(names):
            _move(work / OVERLAYS / name, output / name)
        _move(work / TABLE, output / TABLE)
        _move(work / PREDICTIONS, output / PREDICTIONS)
    (work / COMPLETE).unlink()


def _remove(path: Path, top: Path) -> None:
    """Removes a file, and the folders up to `top` that are empty then."""
    with _named_as(path):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # of a folder that holds something else
        for folder in path.relative_to(top).parents[:-1]:
            (top / folder).rmdir()


def _move(source: Path, target: Path) -> None:
    """Moves a file, unless an earlier call did."""
    if not source.exists():
        return
    with _named_as(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.replace(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # A folder in `output` is a link to another disk.
            with replace_file(target) as work:
                shutil.copyfile(source, work)
            source.unlink()


@contextlib.contextmanager
def _named_as(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = os.fspath(path)
        raise


def refuse_blocked(output: Path, names: Iterable[PurePosixPath]) -> None:
    """Refuses a folder for results in which a file is where a folder would be.

    Raises:
        InputError: The message names the file.
    """
    for folder in sorted({parent for name in names for parent in name.parents}):
        path = output / folder
        if os.path.lexists(path) and not path.is_dir():
            raise InputError(
                f"{path} is a file, and the overlays of a folder of that name belong there: choose "
                "another --output."
            )
