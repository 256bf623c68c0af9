"""A CSV file that lists images: `path,label[,mask][,split][,group]`.

- `path`: the image, from the folder of the CSV file, or a full path.
- `label`: `good` (or `ok`, `normal`, `0`, ...); anything else is a kind of defect.
- `mask`: the mask of its defects; several are separated by semicolons.
- `split`: `train`, `val` or `validation`, `test`; empty leaves it to kerasad.
- `group`: images of one group, such as views of one item, stay in one part.

The file is UTF-8, with or without a byte order mark. Commas or semicolons separate its columns.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from kerasad.data.layouts.manifest import ListLayout, ManifestLine, read_text, refusal, split_masks
from kerasad.errors import InputError

_REQUIRED = ("path", "label")
_COLUMNS = (*_REQUIRED, "mask", "split", "group")


class CSVManifest(ListLayout):
    """See the module."""

    name = "csv"
    suffix = ".csv"

    def read_lines(self, manifest: Path) -> Iterator[ManifestLine]:
        """Yields the lines of the file.

        Raises:
            InputError: If a line is not understood.
        """
        return _read_lines(manifest)


def _read_lines(manifest: Path) -> Iterator[ManifestLine]:
    text = read_text(manifest)
    header = text.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    rows = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if columns is None:
                columns = _read_header(manifest, rows.line_num, cells)
                continue
            if any(cells[len(columns) :]):
                raise refusal(
                    manifest,
                    rows.line_num,
                    f"{len(cells)} cells for {len(columns)} columns; put a cell that holds "
                    f'{delimiter!r} into double quotes ("...")',
                )
            values = dict(zip(columns, cells, strict=False))
            masks = split_masks(values.pop("mask", ""))
            values = {"path": "", "label": "", **values, "masks": masks}
            yield ManifestLine(manifest, rows.line_num, **values)
    except csv.Error as error:
        raise refusal(manifest, rows.line_num, f"the line is not CSV ({error})") from error
    if columns is None:
        raise InputError(f"{manifest}: the file is empty; write a line path,label and the images.")


def _read_header(manifest: Path, number: int, cells: list[str]) -> list[str]:
    columns = [cell.lower() for cell in cells]
    while columns and not columns[-1]:  # a spreadsheet's empty columns
        columns.pop()
    wanted = "the first line names the columns: path,label and, if there are any, mask,split,group"
    for position, column in enumerate(columns):
        if column not in _COLUMNS:
            raise refusal(manifest, number, f"unknown column {cells[position]!r}; {wanted}")
        if column in columns[:position]:
            raise refusal(manifest, number, f"the column {column!r} appears twice; {wanted}")
    for column in _REQUIRED:
        if column not in columns:
            raise refusal(manifest, number, f"there is no column {column!r}; {wanted}")
    return columns
