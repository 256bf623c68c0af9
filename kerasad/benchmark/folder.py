"""The folder of a benchmark: its rows, whose they are, and how it begins."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kerasad.benchmark.plan import PlannedRow
from kerasad.errors import InputError
from kerasad.files import locked, replace_file
from kerasad.work_folder import describe_difference

ROWS = "rows.jsonl"
TABLE = "benchmark.json"
PAGE = "benchmark.md"
RUNS = "runs"
LOGS = "logs"

DONE = "done"
FAILED = "failed"

_KEYS = {"category", "model", "seed", "name", "status", "images", "settings"}


class BenchmarkFolder:
    """A folder that this process alone writes to; made by `open_folder`.

    Attributes:
        path: Path.
        rows: list of dict, as in `rows.jsonl`; of rows with the same identity, the last counts.
    """

    def __init__(self, path: Path, rows: list[dict[str, Any]]):
        self.path = path
        self.rows = rows

    def find(self, planned: PlannedRow) -> dict[str, Any] | None:
        """The row of this category, model and seed, if it was measured or tried."""
        wanted = planned.identity
        matches = [row for row in self.rows if all(row[key] == wanted[key] for key in wanted)]
        return matches[-1] if matches else None

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row; the file has it whole or not at all."""
        self.write([*self.rows, row])

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Replaces all rows."""
        text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
        with replace_file(self.path / ROWS) as work:
            work.write_text(text, encoding="utf-8")
        self.rows = rows

    def run_path(self, name: str) -> Path:
        """Where the run of a row is."""
        return self.path / RUNS / name

    def log_path(self, name: str) -> Path:
        """Where what a row's processes printed is."""
        return self.path / LOGS / f"{name}.txt"


@contextlib.contextmanager
def open_folder(
    path: Path, planned: Sequence[PlannedRow], overwrite: bool
) -> Iterator[BenchmarkFolder]:
    """Begins a benchmark in a folder or takes it up, and keeps every other process out of it.

    Args:
        path: Path.
        planned: Sequence of PlannedRow, at least one.
        overwrite: bool. Delete the files of an earlier benchmark, and no others.

    Raises:
        InputError: The folder holds something else, or rows of another configuration or of other
            images, or another process is at work in it.
    """
    _refuse_anything_else(path)
    path.mkdir(parents=True, exist_ok=True)
    with locked(path) as is_ours:
        if not is_ours:
            raise InputError(
                f"{path} is used by another benchmark: wait for its end, or choose another "
                "--output."
            )
        folder = BenchmarkFolder(path, [])
        if overwrite:
            _delete(folder)
        folder.write(read_rows(path / ROWS))
        _refuse_other_settings(folder, planned)
        _remove_leftovers(folder, planned)
        yield folder


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Reads the rows of a benchmark; none if there is no file.

    Raises:
        InputError: A line is damaged; the message names it.
    """
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines:
            row = json.loads(line)
            if not {*row} >= _KEYS:
                raise ValueError("it lacks a key")
            rows.append(row)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path}, line {len(rows) + 1}: this is no row of a benchmark ({error}): restore the "
            "file from a copy, or pass --overwrite."
        ) from error
    return rows


def _refuse_anything_else(path: Path) -> None:
    if not path.exists():
        return
    names = [entry.name for entry in path.iterdir()] if path.is_dir() else ["a file"]
    if names and ROWS not in names:
        raise InputError(f"{path} exists and is not a benchmark: choose another --output.")


def _refuse_other_settings(folder: BenchmarkFolder, planned: Sequence[PlannedRow]) -> None:
    """Rows of one table are only comparable if they differ in nothing else."""
    images = {row.category: row.images for row in planned}
    for row in folder.rows:
        what = describe_difference(row["settings"], planned[0].settings)
        if what is None and row["images"] != images.get(row["category"], row["images"]):
            what = f"the images of {row['category']} are others there"
        if what is not None:
            raise InputError(
                f"{folder.path} holds another benchmark ({what}): choose another --output, or "
                "pass --overwrite."
            )


def _delete(folder: BenchmarkFolder) -> None:
    """Deletes an earlier benchmark; what marks the folder as one goes last."""
    try:
        folder.rows = read_rows(folder.path / ROWS)
    except InputError:
        folder.rows = []  # its runs are not known then, and stay
    for row in folder.rows:
        name = row["name"]
        if Path(name).name == name:  # and nothing outside the folder
            shutil.rmtree(folder.run_path(name), ignore_errors=True)
            folder.log_path(name).unlink(missing_ok=True)
    for name in (RUNS, LOGS):
        with contextlib.suppress(OSError):  # not there, or something of the user's in it
            (folder.path / name).rmdir()
    for name in (TABLE, PAGE, ROWS):
        (folder.path / name).unlink(missing_ok=True)


def _remove_leftovers(folder: BenchmarkFolder, planned: Sequence[PlannedRow]) -> None:
    """Deletes what trainings that were killed have left."""
    for row in planned:
        for kind in ("partial", "old"):
            for path in (folder.path / RUNS).glob(f".{_literal(row.name)}.{kind}-*"):
                shutil.rmtree(path, ignore_errors=True)


def _literal(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)
