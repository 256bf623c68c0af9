"""The RUN folder as a whole: it appears complete or not at all, one command at a time changes it.

A run is made in `.NAME.partial-TOKEN` beside it. Where it replaces another, that one is first
renamed to `.NAME.old-TOKEN`. A process may be killed at any moment: the next command that names the
run (`recover`) finishes the second rename and deletes what is left.
"""

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from kerasad.errors import InputError
from kerasad.files import sync, sync_tree
from kerasad.locks import (
    can_lock,
    lock_folder,
    make_locked_folder,
    remove_abandoned,
    unlock,
)

CONFIG = "config.json"
SPLIT = "split.json"
HISTORY = "history.csv"
MODEL = "model.keras"
DETECTOR = "detector.keras"
CALIBRATION = "calibration.json"
METRICS = "metrics.json"
REPORT = "report.html"
REPORT_SUMMARY = "report.json"
REPORT_TABLE = "report.csv"
CHANGED = (DETECTOR, SPLIT, CALIBRATION, METRICS, REPORT, REPORT_SUMMARY, REPORT_TABLE)
"""The files that commands write into a finished run."""

WAIT = 2.0
"""Seconds; another command cleans up or renames in less."""


@contextlib.contextmanager
def create_run(path: str | Path, *, overwrite: bool = False, wait: float = WAIT) -> Iterator[Path]:
    """Gives a new folder that becomes `path` if the block succeeds, and is deleted if it fails.

    The folder has a temporary name beside `path` until then. An existing run is replaced only
    when its successor is complete, so a failed training never destroys one. It is locked
    meanwhile: what another command would write into it would be lost.

    Args:
        path: str or Path. The run to create.
        overwrite: bool. Replace an existing run. Other folders are never replaced.
        wait: float. Seconds to wait for other commands.

    Yields:
        The temporary folder.

    Raises:
        InputError: `path` exists (and `overwrite` is False, or it is not a run), its parent cannot
            be written, or another command is creating or changing it.
    """
    path = Path(os.path.realpath(path))  # a link to a run stays a link
    _wait_until_free(path, overwrite, wait)
    with lock_run(path, wait) if path.is_dir() else contextlib.nullcontext():
        try:
            work, handle = make_locked_folder(path.parent, f".{path.name}.partial-")
        except OSError as error:
            raise InputError(
                f"{path} cannot be created ({error.strerror or error}): choose another --output, "
                "in a folder that may be written."
            ) from error
        try:
            work.chmod(0o755)  # a temporary folder is private; a run is not
            yield work
            _check_free(path, overwrite)  # someone may have been quicker
            _put_in_place(work, path)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            unlock(handle)


@contextlib.contextmanager
def lock_run(path: Path, wait: float = WAIT) -> Iterator[None]:
    """Keeps all other commands from changing a run, and deletes what a killed one has left in it.

    Args:
        path: Path. The run.
        wait: float. Seconds to wait for the other command.

    Raises:
        InputError: Another command is changing it.
    """
    handle = lock_folder(path, wait)
    try:
        if handle is not None:
            _clean(path)
        elif can_lock(path):
            raise InputError(
                f"{path} is being changed by another command (train, calibrate, evaluate or "
                "report): wait until it ends."
            )
        yield
    finally:
        unlock(handle)


def recover(path: str | Path, wait: float = WAIT) -> bool:
    """Completes or deletes what a killed command has left of a run, beside it and in it.

    What a living process is working on is left alone, and so is what may not be written.

    Args:
        path: str or Path. The run, which need not exist.
        wait: float. Seconds to wait for a process that is replacing it.

    Returns:
        Whether no other process is creating the run.
    """
    path = Path(os.path.realpath(path))
    end = time.monotonic() + wait
    while olds := _beside(path, "old"):
        for old in olds:
            with contextlib.suppress(OSError):
                _settle(old, path, is_late=time.monotonic() > end)
        if path.exists() or time.monotonic() > end:
            break
        time.sleep(0.05)  # a living process is between its two renames
    partials = _beside(path, "partial")
    busy = [folder for folder in partials if not remove_abandoned(folder) and can_lock(folder)]
    if path.is_dir() and _leftovers_in(path):
        handle = lock_folder(path)
        if handle is not None:
            _clean(path)
            unlock(handle)
    return not busy


def _wait_until_free(path: Path, overwrite: bool, wait: float) -> None:
    end = time.monotonic() + wait
    while True:
        is_free = recover(path, wait)
        _check_free(path, overwrite)
        if is_free:
            return
        if time.monotonic() > end:
            raise InputError(
                f"{path} is being created by another command: wait until it ends, or choose "
                "another --output."
            )
        time.sleep(0.05)


def _check_free(path: Path, overwrite: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir() or not (path / CONFIG).is_file():
        raise InputError(f"{path} exists and is not a run: choose another --output.")
    if not overwrite:
        raise InputError(f"{path} exists: choose another --output or pass --overwrite.")


def _put_in_place(work: Path, path: Path) -> None:
    sync_tree(work)  # else a power cut may leave the new names and no content
    if path.exists():
        old = _sibling(work, path, "old")
        os.rename(path, old)
        try:
            os.rename(work, path)
        except OSError:
            os.rename(old, path)
            raise
        _discard(old, path)
    else:
        os.rename(work, path)
    sync(path.parent)


def _settle(old: Path, path: Path, is_late: bool) -> None:
    """Ends the replacement of a run that has been renamed to `old`."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        _discard(old, path)
        return
    handle = lock_folder(old)
    try:
        # Where there are no locks, only the time tells that no process is at work.
        if handle is None and (can_lock(old) or not is_late):
            return
        new = _sibling(old, path, "partial")
        # The old run was renamed only when the new one was complete.
        os.rename(new if new.is_dir() else old, path)
    finally:
        unlock(handle)
    if old.exists():
        _discard(old, path)


def _discard(old: Path, path: Path) -> None:
    """Deletes a replaced run. Half of it must never be taken for the run: it is renamed first."""
    waste = _sibling(old, path, "partial")
    shutil.rmtree(waste, ignore_errors=True)
    os.rename(old, waste)
    shutil.rmtree(waste, ignore_errors=True)


def _sibling(folder: Path, path: Path, kind: str) -> Path:
    """Returns the name of the other kind with the same token."""
    token = folder.name.rpartition("-")[2]
    return path.with_name(f".{path.name}.{kind}-{token}")


def _beside(path: Path, kind: str) -> list[Path]:
    """Returns what commands have made beside a run, `"partial"` or `"old"`."""
    name = re.compile(rf"\.{re.escape(path.name)}\.{kind}-[a-z0-9_]+")
    try:
        return [entry for entry in path.parent.iterdir() if name.fullmatch(entry.name)]
    except OSError:
        return []


def _leftovers_in(path: Path) -> list[Path]:
    """Returns what `replace_file` has in a run under temporary names."""
    starts = tuple(f".{Path(name).stem}.partial-" for name in CHANGED)
    try:
        return [entry for entry in path.iterdir() if entry.name.startswith(starts)]
    except OSError:
        return []


def _clean(path: Path) -> None:
    for entry in _leftovers_in(path):
        with contextlib.suppress(OSError):  # of a folder that may not be written
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
