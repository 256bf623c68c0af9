"""Version folders that appear complete or not at all, whoever else exports or is killed."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasad.errors import InputError

_PREFIX = ".partial-"


@dataclass(frozen=True)
class Draft:
    """A version that is not yet visible.

    Args:
        base: Path. The model's folder, which the server watches.
        folder: Path. The version; write everything into it, then `publish`.
        scratch: Path. A folder for other files, which goes away with the draft.
    """

    base: Path
    folder: Path
    scratch: Path

    def publish(self) -> Path:
        """Makes the draft the next version, in one step; returns its folder.

        Everything is on the disk before: a power cut leaves a complete version or none.
        """
        _sync_tree(self.folder)
        while True:
            target = self.base / str(max(list_versions(self.base), default=0) + 1)
            try:
                os.rename(self.folder, target)
            except OSError as error:
                # Another exporter took the number; a folder that holds files is never replaced.
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                    continue
                raise
            _sync(self.base)
            return target


def list_versions(base: str | Path) -> list[int]:
    """The numbers taken in a model's folder, rising; what a server would look at."""
    base = Path(base)
    if not base.is_dir():
        return []
    names = (path.name for path in base.iterdir())
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


@contextlib.contextmanager
def draft_version(base: str | Path) -> Iterator[Draft]:
    """A draft beside the versions of a model, under a name that TensorFlow Serving ignores.

    What killed exports left behind is removed first: a draft whose maker lives is locked. Where
    the file system knows no locks, remains stay; they are harmless.

    Args:
        base: str or Path. The model's folder; created if need be.

    Raises:
        InputError: `base` is a file, or a version instead of a model's folder, or cannot be
            created.
    """
    base = Path(base).absolute()
    _check_base(base)
    try:
        _remove_abandoned(base)
        work, lock = _make_locked(base)
    except OSError as error:
        raise InputError(f"{base} cannot be written: {error}.") from error
    try:
        draft = Draft(base, work / "version", work / "scratch")
        draft.folder.mkdir()
        draft.scratch.mkdir()
        yield draft
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        with contextlib.suppress(OSError):
            base.rmdir()  # if nothing was ever published


def _check_base(base: Path) -> None:
    if base.exists() and not base.is_dir():
        raise InputError(f"{base} is a file: name the model's folder, as saved_models/NAME.")
    if base.name.isdigit() or (base / "saved_model.pb").exists():
        raise InputError(
            f"{base} is (or looks like) one version: name the model's folder above it; the next "
            "version gets its number by itself."
        )


def _make_locked(base: Path) -> tuple[Path, int | None]:
    while True:
        base.mkdir(parents=True, exist_ok=True)
        try:
            work = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        except FileNotFoundError:  # another exporter failed, and took its empty folder along
            continue
        lock = _lock(work)
        if lock is not None or not _can_lock(base):
            return work, lock
        # Between its making and its locking, another exporter took it for abandoned.


def _lock(folder: Path) -> int | None:
    """Locks a folder until the process ends, however it ends; None if that cannot be had."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(folder)):
            return handle
    except OSError:
        pass
    os.close(handle)
    return None


def _can_lock(base: Path) -> bool:
    try:
        import fcntl

        handle = os.open(base, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EAGAIN)
    finally:
        os.close(handle)


def _remove_abandoned(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
