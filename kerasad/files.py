"""Files that appear whole or not at all, and folders of long work that can be continued."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasad.errors import InputError
from kerasad.locks import locked


@contextlib.contextmanager
def replace_file(path: str | Path, alone: bool = False) -> Iterator[Path]:
    """A temporary path that replaces `path` in one step when the block ends without an error.

    The temporary name keeps the suffix, which Keras and Pillow choose their format by.

    Args:
        path: str or Path.
        alone: bool. Whether the temporary path is in a folder of its own, for a writer that puts
            other files next to it, as Keras does when memory is short.

    Raises:
        OSError: The disk or the folder refuses; it names `path`, not the temporary name.
    """
    path = Path(path)
    name = f".{path.stem}.partial-{os.getpid()}"
    work = path.with_name(name) / path.name if alone else path.with_name(name + path.suffix)
    try:
        work.parent.mkdir(parents=True, exist_ok=True)
        yield work
        sync(work)  # else a power cut may leave the new name and no content
        os.replace(work, path)
    except OSError as error:
        if error.errno is None:  # of a library, with a text only
            raise OSError(errno.EIO, str(error), os.fspath(path)) from error
        # A full disk fails a write, which knows the number of an open file and not its name.
        if error.filename is None or os.fspath(error.filename) == os.fspath(work):
            error.filename = os.fspath(path)
        raise
    finally:
        with contextlib.suppress(OSError):  # of a folder that can't be written, above all
            shutil.rmtree(work.parent) if alone else work.unlink(missing_ok=True)


def sync_tree(folder: Path) -> None:
    """Has the system write a folder and all that is in it to the disk, before it is renamed."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(parent) / name)
        sync(Path(parent))


def sync(path: Path) -> None:
    """Has the system write a file or a folder to the disk."""
    try:
        # Windows writes out only what may be written, and cannot open folders.
        handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: str | Path, values: Any) -> None:
    """Writes strict JSON (no NaN, no Infinity), all or nothing."""
    text = json.dumps(values, indent=2, allow_nan=False) + "\n"
    with replace_file(path) as work:
        work.write_text(text, encoding="utf-8")


MAX_DEPTH = 100
"""Objects and lists inside each other that JSON may have; no file of ours has ten."""


def parse_json(text: str) -> Any:
    """Returns the values in a JSON text.

    Raises:
        ValueError: It is not JSON, or is nested so deeply that whoever walks through it would fail.
    """
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep") from error
    level = [values]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return values
    raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


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
        values = parse_json(Path(path).read_text(encoding="utf-8"))
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
def work_folder(path: Path, kind: str, names: Sequence[str], overwrite: bool) -> Iterator[None]:
    """Creates or continues a folder, and keeps all other processes out of it.

    Args:
        path: Path.
        kind: str. What the folder holds, such as `"search"`; for error messages.
        names: sequence of str. Its files and folders, as relative paths. The last one marks the
            folder as one of this kind; the caller writes it first, and it is deleted last.
        overwrite: bool. Delete the earlier work, and nothing else.

    Raises:
        InputError: The folder holds something else, is in use or cannot be written.
    """
    if path.exists():
        found = [entry.name for entry in path.iterdir()] if path.is_dir() else ["a file"]
        # A process that was killed while it wrote its first file leaves a temporary file.
        if names[-1] not in found and not all(".partial-" in name for name in found):
            raise InputError(f"{path} exists and is not a {kind}: choose another --output.")
    with contextlib.ExitStack() as stack:
        try:
            path.mkdir(parents=True, exist_ok=True)
            is_ours = stack.enter_context(locked(path))
            if not is_ours:
                raise InputError(
                    f"{path} is used by another {kind}: wait until it ends, or choose another "
                    "--output."
                )
            for name in names:
                if overwrite:
                    _delete(path / name)
                _delete_leftovers(path / name)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error}.") from error
        yield


def _delete_leftovers(path: Path) -> None:
    """Deletes what a killed process has written under a temporary name, see `replace_file`."""
    starts = (f".{path.stem}.partial-", f".{path.name}.partial-", f".{path.name}.old-")
    if path.parent.is_dir():
        for entry in path.parent.iterdir():
            if entry.name.startswith(starts):
                _delete(entry)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def refuse_other_work(
    path: Path, kind: str, found: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    """Refuses to continue work that was started with other settings.

    Raises:
        InputError: The message names the first setting that differs.
    """
    difference = describe_difference(found, wanted)
    if difference is not None:
        raise InputError(
            f"{path} holds another {kind} ({difference}): choose another --output, or pass "
            "--overwrite."
        )


def describe_difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """Names the first leaf in which two nested dictionaries differ, or None if none does.

    Args:
        found: mapping, as read from a file.
        wanted: mapping, as requested; a tuple equals a list.
    """
    found, wanted = _flat(found), _flat(wanted)
    for name in {**wanted, **found}:
        if found.get(name) != wanted.get(name):
            return f"`{name}` is {found.get(name)!r} there, {wanted.get(name)!r} here"
    return None


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, Mapping):
        return {prefix[:-1]: list(values) if isinstance(values, tuple) else values}
    flat = {}
    for name, value in values.items():
        flat.update(_flat(value, f"{prefix}{name}."))
    return flat
