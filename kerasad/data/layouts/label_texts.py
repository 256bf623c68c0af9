"""Does a file tell which images are good? Its beginning is searched for words; nothing is parsed.

A list may be anything that people and programs write: CSV, text, COCO and LabelMe (JSON), Pascal
VOC and CVAT (XML), YOLO, spreadsheets. It is not read as such; who has one is told of it.
"""

import os
import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from kerasad.data.layouts.names import (
    SPLITS,
    Role,
    fold,
    name_words,
    opposite_names,
    read_name,
)
from kerasad.data.mask_names import normalize

_LINES = frozenset({".jsonl", ".ndjson", ".manifest"})
_TABLES = frozenset({".csv", ".tsv"})
_SHEETS = frozenset({".xlsx", ".xlsm", ".ods"})
SUFFIXES = frozenset({".json", ".txt", ".xml"}) | _LINES | _TABLES | _SHEETS
"""Of the files that are looked at, in lower case."""

_NO_LISTS = frozenset(("readme", "license", "licence", "copying", "changelog", "requirements"))
_COLUMNS = frozenset(
    ("label", "labels", "class", "classname", "defect", "defects", "defective", "anomaly")
    + (
        "anomalous",
        "quality",
        "target",
        "verdict",
        "split",
        "regions",
        "region",
        "result",
        "results",
    )
    + ("ergebnis", "prufergebnis", "pruefergebnis", "befund", "bewertung", "qualitat", "fehler")
    + ("pass", "fail", "passfail", "ok", "nok", "ng", "resultat", "resultado", "risultato")
)
_KEYS = _COLUMNS | frozenset(
    ("annotation", "annotations", "category", "categories", "classes", "shapes", "polygon")
    + ("bbox", "bboxes", "segmentation", "good", "ok", "bad", "nok", "ng", "regions", "region")
    + ("objects", "classtitle", "tags")
)
_QUALITY = (Role.GOOD, Role.BAD, Role.KIND)
_IMAGE = r"\.(?:png|jpe?g|bmp|tiff?)"
_MAX_BYTES = 1_000_000
_MAX_LINE = 4000
_SHEET_PARTS = ("xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "content.xml")
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


class ImageNames:
    """The images that a list may name.

    Args:
        images: Their paths.
    """

    def __init__(self, images: Iterable[Path]):
        self._paths = {normalize(str(path)) for path in images}
        self._names = {os.path.basename(path) for path in self._paths}
        self._stems = {os.path.splitext(name)[0] for name in self._names}
        self._places = {os.path.splitext(path)[0] for path in self._paths}

    def has(self, text: str, folder: Path) -> bool:
        """Returns whether a text in a list in a folder is the name of an image, or its path.

        A path that leads to another image is none; one that leads nowhere may stem from another
        computer.
        """
        parts = re.split(r"[\\/]+", normalize(text.strip()))
        if parts[-1] not in self._names:
            return False
        path = os.path.normpath(folder / "/".join(parts))
        return len(parts) == 1 or normalize(path) in self._paths or not os.path.exists(path)

    def has_stem(self, text: str) -> bool:
        """Returns whether a text is the name of an image without suffix, and not just a number."""
        stem = normalize(text.strip())
        return len(stem) > 3 and stem in self._stems and bool(name_words(stem))

    def has_namesake(self, path: Path) -> bool:
        """Returns whether a file is called like an image beside it, or like one of a data set."""
        name = normalize(str(path.with_suffix("")))
        if name in self._places or name in self._paths:
            return True
        # `labels/train/0.txt` is of `images/train/0.png`.
        is_annotation = any(read_name(name).surely(Role.MASKS) for name in path.parts[-4:-1])
        # `ann/0.png.json` is of `img/0.png`.
        return is_annotation and os.path.basename(name) in self._stems | self._names


def tells_labels(path: Path, images: ImageNames, must_name: bool = False) -> bool:
    """Returns whether a file seems to tell the labels of images.

    Args:
        path: The file; its suffix is one of `SUFFIXES`.
        images: `ImageNames`.
        must_name: bool. Whether only a file that names one of the images counts.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in _SHEETS:
            return _is_sheet_of_labels(path, images, must_name)
        text = _read_start(path)
    except _UNREADABLE:
        return False
    if suffix == ".xml":
        is_annotation = re.search(r"<annotations?[\s>]", text) is not None
        return is_annotation and (not must_name or _names_image(path, text, images))
    if suffix in _LINES and not must_name and _keys(text.partition("\n")[0]) & _COLUMNS:
        return True
    if suffix == ".json" or suffix in _LINES:
        return _is_json_of_labels(path, text, images, must_name)
    lines = [line[:_MAX_LINE] for line in text.splitlines() if line.strip()]
    is_list = _has_label_column(lines[0]) or _is_called_list(path.stem) if lines else False
    if suffix in _TABLES and is_list and (not must_name or _has_named(path, lines, images)):
        return True
    return path.stem.lower() not in _NO_LISTS and _is_text_of_labels(path, lines, images)


def _read_start(path: Path) -> str:
    with open(path, "rb") as file:
        data = file.read(_MAX_BYTES)
    is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    return data.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")


def _is_json_of_labels(path: Path, text: str, images: ImageNames, must_name: bool) -> bool:
    keys = _keys(text)
    is_list = {"images", "annotations"} <= keys  # COCO
    is_list |= _is_called_list(path.stem) and bool(keys & _KEYS)
    if is_list and not must_name:
        return True
    if not _names_image(path, text, images):
        return False
    numbers = re.search(rf'{_IMAGE}"\s*:\s*(?:-?\d+|true|false)\s*[,}}]', text, re.IGNORECASE)
    values = {value for value in _strings(text) if len(value) <= 40}
    return (
        bool(keys & _KEYS)
        or numbers is not None
        or any(read_name(value).surely(*_QUALITY) for value in values)
    )


def _keys(text: str) -> set[str]:
    """Returns the keys of JSON objects, and the words of these."""
    keys = re.findall(r'"([^"\\\n]{1,60})"\s*:', text)
    return {part.lower() for key in keys for part in (key, *re.split(r"[\W_]+", key))}


def _strings(text: str) -> set[str]:
    found = re.findall(r'"((?:[^"\\\n]|\\.){1,300})"', text)
    return {re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), s) for s in found}


def _names_image(path: Path, text: str, images: ImageNames) -> bool:
    """Returns whether a file of JSON or XML names an image, or is called like one."""
    if images.has_namesake(path):
        return True
    texts = _strings(text)
    if path.suffix.lower() == ".xml":
        texts |= set(re.findall(r">([^<>]{1,300})<", text))
    return any(images.has(name, path.parent) for name in texts)


def _is_sheet_of_labels(path: Path, images: ImageNames, must_name: bool) -> bool:
    """Returns whether a spreadsheet names an image, or has a column for labels."""
    cells: set[str] = set()
    with zipfile.ZipFile(path) as sheet:
        for name in set(_SHEET_PARTS).intersection(sheet.namelist()):
            with sheet.open(name) as part:
                text = part.read(_MAX_BYTES).decode("utf-8", errors="replace")
            cells.update(re.findall(r">([^<>]{1,300})<", text))
    has_column = not must_name and not _COLUMNS.isdisjoint(cell.strip().lower() for cell in cells)
    named = (cell for cell in cells if images.has(cell, path.parent) or images.has_stem(cell))
    return has_column or next(named, None) is not None


def _has_named(path: Path, lines: list[str], images: ImageNames) -> bool:
    """Returns whether a line of a table names an image."""
    cells = (cell for line in lines for cell in _split_line(line))
    return any(images.has(cell, path.parent) or images.has_stem(cell) for cell in cells)


def _is_called_list(stem: str) -> bool:
    """Returns whether the name of a file says that it tells labels, such as `pass_fail`."""
    roles = {read_name(word).role for word in name_words(stem)}
    is_both = Role.GOOD in roles and not roles.isdisjoint((Role.BAD, Role.KIND))
    return is_both or read_name(stem).surely(Role.MASKS)


def _has_label_column(line: str) -> bool:
    """Returns whether the first line of a table names a column for labels."""
    names = [fold(cell.strip("\"' ")) for cell in _cells(line)]
    return any(part in _COLUMNS for name in names for part in (name, *re.split(r"[\W_]+", name)))


def _cells(line: str) -> list[str]:
    return line.strip().split(max(",;\t|", key=line.count))


def _is_text_of_labels(path: Path, lines: list[str], images: ImageNames) -> bool:
    """Returns whether lines name images, each with something that may be a label."""
    if images.has_namesake(path) and _is_label_of_one(lines):
        return True
    columns: dict[int, set[str]] = {}
    for line in lines:
        cells = _split_line(line)
        named = [cell for cell in cells if images.has(cell, path.parent) or images.has_stem(cell)]
        if not named:
            continue
        if len(cells) == 1 and read_name(path.stem).surely(*_QUALITY, *SPLITS):
            return True  # such as the names in a file `bad.txt`
        for position, cell in enumerate(cells):
            if cell not in named:
                columns.setdefault(position, set()).add(cell)
    has_header = path.suffix.lower() in _TABLES and not any(
        images.has(cell, path.parent) for cell in _split_line("".join(lines[:1]))
    )
    return any(_are_labels(values, has_header) for values in columns.values())


def _split_line(line: str) -> list[str]:
    """Splits a line at commas or the like, or behind the name of a file, which may have spaces."""
    cells = [cell.strip("\"' ") for cell in _cells(line)]
    if len(cells) == 1:
        match = re.fullmatch(rf"(.+?{_IMAGE})\W+(.+)", cells[0], re.IGNORECASE)
        cells = list(match.groups()) if match else cells[0].split(maxsplit=1)
    # A sentence is not a label.
    return [cell for cell in cells if cell and cell.count(" ") < 3]


def _are_labels(values: set[str], has_header: bool) -> bool:
    """Returns whether the values of a column may be labels; without a header, words are."""
    if any(read_name(value).surely(*_QUALITY) for value in values):
        return True
    if opposite_names(sorted(values)):
        return True
    words = (re.fullmatch(r"-?\d|[^\W\d]\D*|\d( -?[\d.]+)+", value) for value in values)
    return not has_header and all(words)


def _is_label_of_one(lines: list[str]) -> bool:
    """Returns whether a text that belongs to one image is its label, or has boxes as YOLO has."""
    boxes = any(re.fullmatch(r"\s*\d+(\s+-?[\d.]+){4,}\s*", line) for line in lines)
    word = lines[0].strip() if len(lines) == 1 else ""
    is_word = re.fullmatch(r"\d", word) is not None or read_name(word[:60]).surely(*_QUALITY)
    return boxes or is_word
