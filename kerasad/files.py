"""Files that are written whole or not at all."""

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kerasad.errors import InputError


@contextlib.contextmanager
def replace_file(path: str | Path) -> Iterator[Path]:
    """A temporary path that replaces `path` in one step when the block ends well.

    The temporary name keeps the suffix, which Keras and Pillow choose their format by.

    Raises:
        OSError: The disk or the folder refuses; it names `path`, not the temporary name.
    """
    path = Path(path)
    work = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield work
        with work.open("rb") as file:  # else a power cut may leave the new name and no content
            os.fsync(file.fileno())
        os.replace(work, path)
    except OSError as error:
        if error.filename is not None and os.fspath(error.filename) == os.fspath(work):
            error.filename = os.fspath(path)
        raise
    finally:
        with contextlib.suppress(OSError):  # of a folder that can't be written, above all
            work.unlink(missing_ok=True)


def write_json(path: str | Path, values: Any) -> None:
    """Writes strict JSON (no NaN, no Infinity), all or nothing."""
    text = json.dumps(values, indent=2, allow_nan=False) + "\n"
    with replace_file(path) as work:
        work.write_text(text, encoding="utf-8")


def read_json(
    path: str | Path, keys: Iterable[str] | None = None, remedy: str | None = None
) -> Any:
    """Reads a JSON file.

    Args:
        path: str or Path.
        keys: iterable of str or None. If given, the content must be an object with these keys.
        remedy: str or None. What to do about a damaged file, the end of the error message.

    Raises:
        InputError: The file cannot be read, is not JSON, or is not such an object.
    """
    problem = None
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except ValueError as error:
        problem = f"is not valid JSON ({error})"
    else:
        if keys is None:
            return values
        if not isinstance(values, dict):
            problem = f"must be a JSON object, found {values!r:.40}"
        elif missing := [key for key in keys if key not in values]:
            problem = f"has no `{missing[0]}`"
    if problem is not None:
        raise InputError(f"{path} {problem}{f'; {remedy}' if remedy else ''}.")
    return values


def refuse_wildcards(path: str | Path) -> None:
    """Refuses a path that TensorFlow or KerasTuner would take for a pattern.

    Raises:
        InputError: It has one of `* ? [ ] \\` in it.
    """
    found = [sign for sign in "*?[]\\" if sign in os.fspath(path)]
    if found and os.sep != "\\":
        raise InputError(
            f"{path} has {found[0]!r} in its name, which TensorFlow takes for a pattern: choose "
            "another --output."
        )


@contextlib.contextmanager
def locked(folder: str | Path) -> Iterator[bool]:
    """Keeps a folder locked during the block; gives False if another process holds it.

    The lock ends with the process, however it ends. Where the file system knows no locks, it is
    True without one.
    """
    handle = lock_folder(folder)
    try:
        yield handle is not None or not can_lock(folder)
    finally:
        if handle is not None:
            os.close(handle)


def lock_folder(folder: str | Path) -> int | None:
    """Locks a folder until the process ends or closes the handle; None if that cannot be had."""
    handle, _ = _flock(folder)
    if handle is None:
        return None
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(handle), os.stat(folder)):
            return handle
    os.close(handle)  # the folder was replaced meanwhile
    return None


def can_lock(folder: str | Path) -> bool:
    """Whether the file system knows locks, whoever holds that of `folder`."""
    handle, error = _flock(folder)
    if handle is not None:
        os.close(handle)
    return handle is not None or error in (errno.EWOULDBLOCK, errno.EAGAIN)


def _flock(folder: str | Path) -> tuple[int | None, int | None]:
    """A handle of a locked folder and None, or None and why not."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        return None, None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        return None, error.errno
    return handle, None
