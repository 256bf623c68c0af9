"""Lists of labels that lie in a folder of images, which is then no plain folder of good images."""

import csv
import re
from pathlib import Path

from kerasad.errors import InputError

_SUFFIXES = frozenset({".csv", ".jsonl", ".manifest"})
_WORDS = frozenset(
    ("label", "labels", "class", "classname", "defect", "defects", "defective", "anomaly")
    + ("anomalous", "quality", "target", "verdict", "split")
)
_BYTES_LOOKED_AT = 65536


def refuse_label_list(folder: Path) -> None:
    """Refuses a folder that would be read as good images, while a list in it tells their labels.

    Args:
        folder: The folder; lists in the folders inside are not looked for.

    Raises:
        InputError: If a file directly in it is a CSV file or JSON lines with a column for labels.
    """
    for path in sorted(folder.iterdir()):
        if path.stem == "predictions":  # what `kerasad predict` writes is refused for what it is
            continue
        if path.suffix.lower() in _SUFFIXES and path.is_file() and _names_labels(path):
            raise InputError(
                f"{path}: it seems to tell which images are good, and all images of a plain folder "
                "count as good; give this file instead of the folder (a CSV file with the columns "
                "path,label), or take it out of the folder if it says nothing of that kind."
            )


def _names_labels(path: Path) -> bool:
    """Returns whether the first line of a file has a column or key for labels."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            line = file.read(_BYTES_LOOKED_AT).partition("\n")[0]
    except OSError:
        return False
    if path.suffix.lower() == ".csv":
        names = [name for part in _cells(line) for name in (part, *re.split(r"[\W_]+", part))]
    else:
        names = [part for key in re.findall(r'"([^"]+)"\s*:', line) for part in key.split("-")]
    return any(name.strip().lower() in _WORDS for name in names)


def _cells(line: str) -> list[str]:
    delimiter = max(",;\t", key=line.count)
    try:
        return next(csv.reader([line.strip()], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)
