"""Files that are written whole or not at all."""

import contextlib
import json
import os
from collections.abc import Iterator
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


def read_json(path: str | Path) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: The file cannot be read or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}.") from error
