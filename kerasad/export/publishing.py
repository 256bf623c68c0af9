"""Version folders that appear complete or not at all, even if exports compete or are killed."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasad.errors import InputError
from kerasad.files import refuse_wildcards, sync, sync_tree
from kerasad.locks import make_locked_folder, remove_abandoned, unlock

_PREFIX = ".partial-"


@dataclass(frozen=True)
class Draft:
    """A version that the server does not see yet.

    Args:
        base: Path. The model's folder, which the server watches.
        folder: Path. The version; write everything into it, then `publish`.
        scratch: Path. A folder for other files, removed with the draft.
    """

    base: Path
    folder: Path
    scratch: Path

    def publish(self) -> Path:
        """Makes the draft the next version, in one step, and returns its folder.

        Everything is written to the disk first: a power cut leaves a complete version or none.
        """
        sync_tree(self.folder)
        while True:
            target = self.base / str(max(list_versions(self.base), default=0) + 1)
            try:
                os.rename(self.folder, target)
            except OSError as error:
                # Another export took the number; a rename never replaces a folder with files.
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                    continue
                raise
            sync(self.base)
            return target


def list_versions(base: str | Path) -> list[int]:
    """Returns the version numbers in a model's folder, ascending."""
    base = Path(base)
    if not base.is_dir():
        return []
    names = (path.name for path in base.iterdir())
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


@contextlib.contextmanager
def draft_version(base: str | Path) -> Iterator[Draft]:
    """Makes a draft next to the versions of a model, under a name that TensorFlow Serving ignores.

    Drafts of killed exports are removed first; a draft in the making is locked. Where the file
    system has no locks, such drafts stay, which does no harm.

    Args:
        base: str or Path. The model's folder; created if need be.

    Raises:
        InputError: `base` is a file, a version, a run or a folder of models instead of a model's
            folder, has a wildcard in its path, or cannot be created.
    """
    base = Path(os.path.abspath(base))  # no "..", since the last part becomes the model's name
    _check_base(base)
    try:
        for folder in base.glob(f"{_PREFIX}*"):
            remove_abandoned(folder)
        work, lock = make_locked_folder(base, _PREFIX)
    except OSError as error:
        raise InputError(f"{base} cannot be written: {error}.") from error
    try:
        draft = Draft(base, work / "version", work / "scratch")
        draft.folder.mkdir()
        draft.scratch.mkdir()
        yield draft
    finally:
        shutil.rmtree(work, ignore_errors=True)
        unlock(lock)
        with contextlib.suppress(OSError):
            base.rmdir()  # succeeds only if nothing was ever published


def _check_base(base: Path) -> None:
    refuse_wildcards(base)
    if base.exists() and not base.is_dir():
        raise InputError(f"{base} is a file: name the model's folder, as saved_models/NAME.")
    if base.name.isdigit() or (base / "saved_model.pb").exists():
        raise InputError(
            f"{base} is (or looks like) one version: name the model's folder above it; versions "
            "are numbered automatically."
        )
    inner = [path for path in base.iterdir() if path.is_dir()] if base.is_dir() else []
    # Drafts of other exports may vanish at any moment.
    inner = [path for path in inner if not path.name.startswith(_PREFIX)]
    others = [path.name for path in inner if not path.name.isdigit() and _is_model(path)]
    if others or (base / "detector.keras").exists():
        what = f"holds models ({others[0]} is one)" if others else "is a run"
        raise InputError(f"{base} {what}: name a model's own folder, as saved_models/NAME.")


def _is_model(folder: Path) -> bool:
    numbers = list_versions(folder)
    return any((folder / str(number) / "saved_model.pb").exists() for number in numbers)
