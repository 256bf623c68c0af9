"""A file of JSON lines that lists images, with the keys of a CSV manifest (`csv_manifest.py`).

    {"path": "images/0.png", "label": "good", "split": "train"}
    {"path": "images/7.png", "label": "dent", "mask": ["masks/7a.png", "masks/7b.png"]}

`mask` is a path or a list of paths; `mask`, `split` and `group` may be missing or null.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasad.data.layouts.manifest import (
    ListLayout,
    ManifestLine,
    read_text,
    refusal,
    split_masks,
)
from kerasad.errors import InputError
from kerasad.files import parse_json

_KEYS = ("path", "label", "mask", "split", "group")


class JSONLines(ListLayout):
    """See the module."""

    name = "jsonl"
    suffix = ".jsonl"

    def read_lines(self, manifest: Path) -> Iterator[ManifestLine]:
        """Yields the lines of the file.

        Raises:
            InputError: If a line is not understood.
        """
        return _read_lines(manifest)


def read_objects(manifest: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the number and the JSON object of each line of a manifest.

    Raises:
        InputError: If the file cannot be read, or a line is not a JSON object.
    """
    is_empty = True
    for number, line in enumerate(read_text(manifest).split("\n"), 1):
        if not line.strip():
            continue
        try:
            values = parse_json(line)
        except ValueError as error:
            raise refusal(manifest, number, f"the line is not JSON ({error})") from error
        if not isinstance(values, dict):
            raise refusal(manifest, number, 'the line is not an object such as {"path": ...}')
        is_empty = False
        yield number, values
    if is_empty:
        raise InputError(f"{manifest}: the file is empty; write a JSON object for each image.")


def _read_lines(manifest: Path) -> Iterator[ManifestLine]:
    for number, values in read_objects(manifest):
        unknown = [key for key in values if key not in _KEYS]
        if unknown:
            raise refusal(
                manifest,
                number,
                f"unknown key {unknown[0]!r}; known: path, label and, if there are any, mask, "
                "split, group",
            )
        masks = values.pop("mask", None)
        masks = masks if isinstance(masks, list) else [masks]
        texts = {key: _as_text(manifest, number, key, value) for key, value in values.items()}
        yield ManifestLine(
            manifest,
            number,
            **{"path": "", "label": "", **texts},
            masks=tuple(
                mask
                for value in masks
                for mask in split_masks(_as_text(manifest, number, "mask", value))
            ),
        )


def _as_text(manifest: Path, number: int, key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float):  # a label may be a number, or true, which is unclear
        return str(value)
    raise refusal(manifest, number, f"the value of {key!r} is not text")
