"""Rows of results in a file of JSON lines, from which a stopped benchmark continues."""

import json
import os
import platform
from datetime import date
from pathlib import Path


def read_rows(path):
    """Returns all rows of a file; none if there is no file."""
    if not Path(path).exists():
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def find_row(rows, key):
    """Returns the last row that agrees with all entries of `key`, or None."""
    matches = [row for row in rows if all(row.get(name) == key[name] for name in key)]
    return matches[-1] if matches else None


def append_row(path, row):
    """Appends a row with the day and the class of the machine; returns it."""
    row = {**row, "date": date.today().isoformat(), "machine": machine()}
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    return row


def machine():
    """Returns the class of this machine, such as `x86_64, 2 cores`."""
    return f"{platform.machine()}, {os.cpu_count()} cores"


def markdown_table(header, rows):
    """Returns a Markdown table of strings and numbers; floats with three digits."""

    def cell(value):
        if value is None:
            return "-"
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)
