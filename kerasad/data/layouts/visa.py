"""VisA: one category, and the published split beside the categories.

- `Data/Images/Normal`, `Data/Images/Anomaly`: the images.
- `Data/Masks/Anomaly/<stem>.png`: the masks; their values are class numbers.
- `../split_csv/1cls.csv`: `object,split,label,image,mask`, the published split. Without it, or if
  it does not list the category, kerasad splits the good images itself.
"""

import csv
import dataclasses
import os
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader, subfolders
from kerasad.data.layouts.base import Layout, list_good
from kerasad.data.masks import match_masks
from kerasad.errors import InputError

_SPLIT = Path("split_csv/1cls.csv")


class VisA(Layout):
    """See the module."""

    name = "visa"

    def recognizes(self, root: Path) -> bool:
        """Returns whether there is a folder `Data/Images/Normal`."""
        return (root / "Data/Images/Normal").is_dir()

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists both folders of images, with the part that the published split gives each.

        Raises:
            InputError: If the file of the split cannot be read.
        """
        folder = root / "Data/Images"
        for inner in subfolders(folder):
            if inner.name not in ("Normal", "Anomaly"):
                reader.remark(inner, "only the folders Normal and Anomaly are read.")
        images = list_good(folder / "Normal", None, reader)
        paths = reader.list_images(folder / "Anomaly") if (folder / "Anomaly").is_dir() else []
        masks = match_masks(root / "Data/Masks/Anomaly", paths, reader)
        images += [FoundImage(path, "anomaly", masks.get(path, ())) for path in paths]
        table = root.parent / _SPLIT
        if not table.is_file():
            return images
        parts = _read_split(table, root.name)
        if not parts:
            reader.remark(table, f"it lists no image of {root.name}, so its split is not used.")
            return images
        return _assign(images, parts, table, reader)


def _assign(images, parts, table, reader):
    listed = [image for image in images if _key(image.path) in parts]
    if len(listed) < len(images):
        message = f"images that it does not list: {len(images) - len(listed)}; left out."
        reader.remark(table, message)
    return [dataclasses.replace(image, part=parts[_key(image.path)]) for image in listed]


def _read_split(table: Path, category: str) -> dict[str, str]:
    """Returns the part of each image that the table lists, for one category."""
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unusable(table, str(error)) from error
    parts = {}
    for number, row in enumerate(rows, 2):
        values = [row.get(column) for column in ("object", "split", "image")]
        if None in values:
            raise _unusable(table, f"line {number} lacks a column object, split or image")
        name, part, image = values
        if name != category:
            continue
        if part not in ("train", "test"):
            raise _unusable(table, f"line {number} says {part!r} instead of train or test")
        parts[_key(table.parents[1] / image)] = part
    return parts


def _unusable(table: Path, reason: str) -> InputError:
    return InputError(
        f"{table}: it should hold the published split, but {reason}; restore the file, or remove "
        "it to let kerasad split the images."
    )


def _key(path: Path) -> str:
    return os.path.abspath(path)
