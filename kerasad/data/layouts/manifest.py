"""Manifests: files that list images, one per line. What a line means in any format."""

import abc
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasad.data.image_files import FoundImage, ImageReader
from kerasad.data.layouts.base import Layout
from kerasad.data.layouts.names import Role, read_name
from kerasad.errors import InputError

_GOOD_NUMBERS = frozenset(("0", "0.0"))
_BAD_NUMBERS = frozenset(("1", "1.0"))
# Unlabelled, or ambiguous: one person's yes is another's no.
_UNCLEAR_LABELS = frozenset(
    ("", "-", "-1", "?", "na", "n/a", "nan", "none", "null", "true", "false", "yes", "no")
)
_PARTS = {
    "": None,
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class ManifestLine:
    """One line of a manifest, as it is written there.

    Args:
        manifest: Path. The file.
        number: int. The line, from 1.
        path: str. The image file, in full or from the manifest's folder.
        label: str or None. `"good"` or a synonym, or the kind of defect. None if the format marks
            the image as unlabelled.
        masks: tuple of str. Mask files, written as `path` is.
        split: str. `"train"`, `"val"`, `"validation"`, `"test"`, or empty.
        group: str. Images of one group stay in one part of a split; may be empty.
    """

    manifest: Path
    number: int
    path: str
    label: str | None
    masks: tuple[str, ...] = ()
    split: str = ""
    group: str = ""

    def refusal(self, message: str) -> InputError:
        """Returns the error about this line; the message ends without a full stop."""
        return refusal(self.manifest, self.number, message)

    def find_file(self, name: str, kind: str) -> Path:
        """Returns a file that the line names. Backslashes of Windows count as slashes.

        Raises:
            InputError: If there is none.
        """
        name = name.strip()
        if not name:
            raise self.refusal(f"the path of the {kind} is missing; add it or remove the line")
        for spelling in (name, name.replace("\\", "/")):
            path = Path(os.path.abspath(self.manifest.parent / spelling))
            if path.is_file():
                return path
        raise self.refusal(
            f"the {kind} {path} does not exist; correct the path, which is relative to the folder "
            "of the list, or remove the line"
        )


class ListLayout(Layout):
    """A file that lists the images of a category, known by its suffix.

    Attributes:
        suffix: str. In lower case, with the dot.
    """

    suffix: str

    def recognizes(self, root: Path) -> bool:
        """Returns whether it is a file with this suffix, in any case."""
        return root.suffix.lower() == self.suffix and root.is_file()

    def find(self, root: Path, reader: ImageReader) -> list[FoundImage]:
        """Lists the images of the file.

        Raises:
            InputError: If a line is not understood, or names a file that is missing.
        """
        return find_images(root, self.read_lines(root), reader)

    @abc.abstractmethod
    def read_lines(self, manifest: Path) -> Iterator[ManifestLine]:
        """Yields the lines of the file.

        Raises:
            InputError: If a line is not understood.
        """


def find_images(
    manifest: Path, lines: Iterable[ManifestLine], reader: ImageReader
) -> list[FoundImage]:
    """Returns the images that a manifest lists.

    Args:
        manifest: The file.
        lines: Its lines.
        reader: `ImageReader`. If it verifies, masks of good images are decoded and must be empty.

    Raises:
        InputError: If a file is missing or listed twice, a mask belongs to two images, or a label
            or split is not understood; the message names the file and the line.
    """
    images, owners, places = [], {}, {}
    for line in lines:
        path = line.find_file(line.path, "image")
        other = places.setdefault(os.path.realpath(path), line.number)
        if other != line.number:
            raise line.refusal(f"{line.path} is already in line {other}; keep one of the two lines")
        image = _describe(line, path)
        for mask in image.masks:
            other = owners.setdefault(os.path.realpath(mask), line.number)
            if other != line.number:
                raise line.refusal(
                    f"the mask {mask.name} belongs to the image of line {other}; give each image "
                    "a mask of its own"
                )
        if image.defect == "good":
            _refuse_marked_mask(line, image.masks, reader)
        images.append(image)
    for mask in owners.keys() & places.keys():
        raise refusal(
            manifest,
            places[mask],
            f"{Path(mask).name} is an image here and the mask of line {owners[mask]}; correct one "
            "of them",
        )
    _report_ones(manifest, images, reader)
    return images


def read_text(manifest: Path) -> str:
    """Reads a manifest, which is UTF-8 with or without a byte order mark; lines end in `\\n`.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        data = manifest.read_bytes()
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise InputError(f"{manifest}: the file cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise refusal(manifest, number, "the file is not UTF-8; save it in UTF-8") from error


def split_masks(cell: str) -> tuple[str, ...]:
    """Returns the masks of an image, which semicolons separate."""
    return tuple(filter(None, (mask.strip() for mask in cell.split(";"))))


def refusal(manifest: Path, number: int, message: str) -> InputError:
    """Returns the error about a line; the message ends without a full stop."""
    return InputError(f"{manifest}, line {number}: {message}.")


def _describe(line: ManifestLine, path: Path) -> FoundImage:
    label = None if line.label is None else line.label.strip()
    if label is not None and _is_unclear(label):
        found = f"the label {label!r} does not say what the image is" if label else "no label"
        raise line.refusal(f"{found}; write good or the kind of defect, or remove the line")
    split = line.split.strip()
    if split.lower() not in _PARTS:
        raise line.refusal(f"unknown split {split!r}; write train, val or test, or leave it empty")
    return FoundImage(
        path,
        "good" if label is not None and _is_good(label) else label,
        tuple(line.find_file(mask, "mask") for mask in line.masks),
        _PARTS[split.lower()],
        line.group.strip() or None,
    )


def _report_ones(manifest: Path, images: list[FoundImage], reader: ImageReader) -> None:
    """Remarks on many labels of 1: defects are rare, so 1 may have been meant as good."""
    count = sum(image.defect in _BAD_NUMBERS for image in images)
    if 2 * count > len(images):
        message = (
            f"the label of {count} of {len(images)} images is 1, which says defective; if 1 means "
            "good here, write good."
        )
        reader.remark(manifest, message)


def _is_good(label: str) -> bool:
    return label in _GOOD_NUMBERS or read_name(label).surely(Role.GOOD)


def _is_unclear(label: str) -> bool:
    """Returns whether a label does not tell good from defective; a number does."""
    meaning = read_name(label)
    # "no crack" and "ok or nok" are unclear; "missing copy" is a kind of defect.
    says_nothing = meaning.role is Role.UNSORTED or meaning.surely(Role.NEUTRAL)
    return label.lower() in _UNCLEAR_LABELS or says_nothing


def _refuse_marked_mask(line, masks, reader):
    """A data set may have a mask for every image; the mask of a good image must be empty."""
    for mask in masks:
        if reader.verify and not reader.is_mask_empty(mask):
            raise line.refusal(
                f"the label is {line.label}, but the mask {mask.name} marks a defect; "
                "correct one of them"
            )
