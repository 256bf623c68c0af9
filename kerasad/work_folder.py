"""A folder of long work that can be killed at any moment and continued."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasad.errors import InputError
from kerasad.files import locked


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
