"""What `predict` writes of its images: a list for programs, a table for people, and overlays."""

import contextlib
import csv
import errno
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kerasad.data.earlier_results import PREDICTIONS
from kerasad.errors import InputError

TABLE = "predictions.csv"
OVERLAYS = "overlays"
COLUMNS = (
    *("path", "frame", "time", "decision", "anomaly_score", "threshold", "p_value", "defect_area"),
    *("num_boxes", "error"),
)
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
# What a file system says of a name that it does not know how to keep.
_REFUSED_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)


class ResultFiles:
    """The results of one prediction, written one image after the other.

    Args:
        work: Path. The folder to gather them in: `predictions.jsonl`, `predictions.csv`, and
            `overlays/`.
        output: Path. The folder that they are for; errors name the files as they will be there.
    """

    def __init__(self, work: Path, output: Path):
        self._work, self._output = work, output
        with contextlib.ExitStack() as stack:
            with self._as_in_output(PREDICTIONS):
                path = work / PREDICTIONS
                self._lines = stack.enter_context(path.open("w", encoding="utf-8"))
            with self._as_in_output(TABLE):
                path = work / TABLE
                self._table = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
                self._rows = csv.DictWriter(self._table, COLUMNS)
                self._rows.writeheader()
            self._open_files = stack.pop_all()

    def __enter__(self) -> "ResultFiles":
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):  # of a disk that is full, after the error that says so
            self._open_files.close()

    def add(self, values: Mapping[str, Any]) -> None:
        """Adds what is known of an image, or `path` and `error`, to the list and to the table."""
        with self._as_in_output(PREDICTIONS):
            self._lines.write(json.dumps(values, allow_nan=False) + "\n")
        row = {**values, "num_boxes": len(values["boxes"]) if "boxes" in values else None}
        with self._as_in_output(TABLE):
            self._rows.writerow({name: safe_cell(row.get(name)) for name in COLUMNS})

    def add_overlay(self, name: PurePosixPath, picture: bytes) -> None:
        """Adds a PNG file under a path below the folder.

        Raises:
            InputError: The file system refuses the name.
        """
        path = self._work / OVERLAYS / name
        try:
            with self._as_in_output(name):
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    file.write(picture)
                    _put_on_disk(file)
        except OSError as error:
            if error.errno not in _REFUSED_NAME:
                raise
            raise InputError(
                f"its overlay cannot be called {name} ({error.strerror}): rename the image, or "
                "choose an --output on another disk."
            ) from error

    def finish(self) -> None:
        """Closes both files; when it returns, all results are on the disk."""
        for name, file in ((PREDICTIONS, self._lines), (TABLE, self._table)):
            with self._as_in_output(name):
                _put_on_disk(file)
        self._open_files.close()

    @contextlib.contextmanager
    def _as_in_output(self, name: str | PurePosixPath) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = os.fspath(self._output / name)
            raise


def safe_cell(value: Any) -> Any:
    """Returns a value of the table; a text that a spreadsheet would compute gets a `'` in front.

    A name such as `=cmd|...` in a folder of photos is a formula to a spreadsheet, which may run it.
    """
    if isinstance(value, str) and value.startswith(FORMULA_SIGNS):
        return "'" + value
    return value


def _put_on_disk(file):
    file.flush()
    os.fsync(file.fileno())
