"""Locks on folders that end with the process that holds them, however it ends."""

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_INTERVAL = 0.05


@contextlib.contextmanager
def locked(folder: str | Path) -> Iterator[bool]:
    """Keeps a folder locked during the block; gives False if another process holds it.

    Where the file system knows no locks, it is True without one.

    Args:
        folder: str or Path.
    """
    handle = lock_folder(folder)
    try:
        yield handle is not None or not can_lock(folder)
    finally:
        unlock(handle)


def lock_folder(folder: str | Path, wait: float = 0.0) -> int | None:
    """Locks a folder until the process ends or `unlock`; None if another process has it.

    Args:
        folder: str or Path.
        wait: float. Seconds to wait for the other process.
    """
    end = time.monotonic() + wait
    while True:
        handle = _try_lock(folder)
        if handle is not None or time.monotonic() >= end or not can_lock(folder):
            return handle
        time.sleep(_INTERVAL)


def unlock(handle: int | None) -> None:
    """Ends a lock; does nothing for None."""
    if handle is not None:
        os.close(handle)


def can_lock(folder: str | Path) -> bool:
    """Whether the file system supports locks, regardless of who holds that of `folder`."""
    handle, error = _acquire(folder)
    unlock(handle)
    return handle is not None or error in (errno.EWOULDBLOCK, errno.EAGAIN)


def make_locked_folder(parent: Path, prefix: str) -> tuple[Path, int | None]:
    """Makes a folder of a new name and locks it.

    Args:
        parent: Path. Made if need be.
        prefix: str. How its name begins.

    Returns:
        The folder, and the handle for `unlock`: None where the file system knows no locks.
    """
    while True:
        parent.mkdir(parents=True, exist_ok=True)
        try:
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        except FileNotFoundError:  # another process has removed the empty parent
            continue
        handle = lock_folder(folder)
        if handle is not None or not can_lock(parent):
            return folder, handle
        # Before it was locked, another process took it for abandoned and locked it: try again.


def remove_abandoned(folder: Path) -> bool:
    """Deletes a folder that `make_locked_folder` made, unless its process lives.

    Where the file system knows no locks, nobody can tell, and it stays.

    Returns:
        Whether its process has ended.
    """
    handle = lock_folder(folder)
    if handle is None:
        return False
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        unlock(handle)
    return True


def _try_lock(folder):
    handle, _ = _acquire(folder)
    if handle is None or fcntl is None:
        return handle
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(handle), os.stat(folder)):
            return handle
    os.close(handle)  # the folder was replaced meanwhile
    return None


def _acquire(folder) -> tuple[int | None, int | None]:
    """Returns `(handle, None)` if the folder is locked now, else `(None, errno)`."""
    return _create_lock_file(Path(folder)) if fcntl is None else _flock(folder)


def _flock(folder):
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None, None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        return None, error.errno
    return handle, None


def _create_lock_file(folder):
    """Locks where there is no `flock`: Windows deletes such a file when its process ends.

    It lies next to the folder, which could not be renamed with an open file in it.
    """
    path = Path(os.path.abspath(folder))
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_TEMPORARY
    try:
        return os.open(path.with_name(f".{path.name}.lock"), flags), None
    except (FileExistsError, PermissionError):
        return None, errno.EWOULDBLOCK
    except OSError as error:
        return None, error.errno
