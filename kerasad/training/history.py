"""The curves of a training: `history.csv`, written and read."""

import csv
import math
import time
from pathlib import Path

import keras

from kerasad.errors import InputError
from kerasad.files import replace_file


class HistoryWriter(keras.callbacks.Callback):
    """Writes `history.csv`: one row for each epoch, complete after every epoch.

    The columns are `epoch` (from 1), the logs in the order of their first appearance, and
    `seconds`. A cell is empty if an epoch lacks the log. Callbacks that add to the logs must come
    before this one.

    Args:
        path: str or Path. The file to write.
    """

    def __init__(self, path: str | Path):
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, float]] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Adds a row and replaces the file, so that it never ends in half a line."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        seconds = round(time.perf_counter() - self._start, 3)
        self.rows.append({"epoch": epoch + 1, **values, "seconds": seconds})
        names = dict.fromkeys(name for row in self.rows for name in row if name != "seconds")
        with replace_file(self.path) as work, work.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*names, "seconds"])
            writer.writeheader()
            writer.writerows(self.rows)


def read_history(path: str | Path) -> dict[str, list[float]]:
    """Reads what `HistoryWriter` wrote.

    Returns:
        The columns by name, one number for each epoch; NaN for an empty cell.

    Raises:
        InputError: The file is missing, or is not such a table; the message names the line.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return _read_columns(csv.reader(file), path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _read_columns(reader, path: str | Path) -> dict[str, list[float]]:
    try:
        names = next(reader, [])
        columns = {name: [] for name in names}
        if not {"epoch", "seconds"} <= columns.keys() or len(columns) < len(names):
            raise ValueError("it is not the header of a history, with `epoch` and `seconds`")
        for row in reader:
            if len(row) != len(names):
                raise ValueError(f"it has {len(row)} cells, the header {len(names)}")
            for name, cell in zip(names, row, strict=True):
                columns[name].append(float(cell or "nan"))
                if name in ("epoch", "seconds") and not math.isfinite(columns[name][-1]):
                    raise ValueError(f"`{name}` must be a finite number, found {cell!r}")
        if not columns["epoch"]:
            raise ValueError("no epoch follows it")
    except (ValueError, csv.Error) as error:
        line = max(reader.line_num, 1)
        raise InputError(
            f"{path}, line {line}: {error}; restore the file from a copy, or remove it to go on "
            "without the curves."
        ) from error
    return columns
