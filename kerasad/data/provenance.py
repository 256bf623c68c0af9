"""Which image did what in a detector, by content: the record in `detector.keras`.

The guarantee of the thresholds requires calibration images that nothing else has seen, and metrics
mean something only on images that the detector has not seen. Files are therefore named by their
SHA-256. `split.json` is the same record for people.
"""

import dataclasses
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from kerasad.data.folds import fold_by_group
from kerasad.data.image_files import ImageRecord
from kerasad.data.split import (
    DEFECTIVE,
    LABELLED,
    PARTS,
    TEST,
    TUNING,
    GoodSplit,
    joined,
    number_groups,
    without_copies,
)
from kerasad.errors import InputError
from kerasad.files import parse_json, read_json

ALL_PARTS = (*PARTS, *DEFECTIVE, TEST)
_REMEDY = "give a run's split.json or detector.keras"


class SeenImage(NamedTuple):
    """A file, as it was when it was used.

    Args:
        path: str. Relative to the folder of the data.
        sha256: str. Hash of the content.
        group: str or None. The group that it was kept together with, see `ImageRecord`.
        fold: int or None. Where train images also calibrate, the fold that was left out when it was
            scored.
    """

    path: str
    sha256: str
    group: str | None = None
    fold: int | None = None


@dataclass(frozen=True)
class Provenance:
    """The images that made a detector, and those that were set aside.

    Args:
        parts: mapping from the name of a part to its images: `train`, `validation`, `calibration`,
            `labelled` (those labelled defective), `tuning` (see `find_real_defects`) and `test`
            (set aside for tests). A part that is left out is empty.
        calibration_on_crops: bool. See `GoodSplit`.
        note: str or None. See `GoodSplit`.
        crosswise: bool. See `GoodSplit`.
    """

    parts: Mapping[str, tuple[SeenImage, ...]] = field(default_factory=dict)
    calibration_on_crops: bool = False
    note: str | None = None
    crosswise: bool = False

    @classmethod
    def from_split(
        cls,
        split: GoodSplit,
        labelled: Iterable[ImageRecord] = (),
        tuning: Iterable[ImageRecord] = (),
    ) -> "Provenance":
        """Returns the record of a split, of images labelled defective and of real defects."""
        parts = {part: _name(getattr(split, part)) for part in PARTS}
        parts["train"] = _name(split.train, split.train_folds)
        parts |= {LABELLED: _name(labelled), TUNING: _name(tuning), TEST: _name(split.test)}
        return cls(parts, split.calibration_on_crops, split.note, split.crosswise)

    @classmethod
    def of(cls, values: "Provenance | Mapping[str, Any] | None") -> "Provenance":
        """Returns a record as it is, from its dict, or an empty one for None."""
        if values is None or isinstance(values, cls):
            return values or cls()
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Any, source: str | os.PathLike = "the record") -> "Provenance":
        """Returns the record that `to_dict` has described.

        Args:
            values: dict.
            source: str or path. Where it was read, for the message.

        Raises:
            InputError: The values are not such a record.
        """
        try:
            parts = {part: values[part] for part in PARTS}
            parts |= {part: values.get(part, ()) for part in (*DEFECTIVE, TEST)}
            parts = {
                part: tuple(
                    SeenImage(file["path"], file["sha256"], file.get("group"), file.get("fold"))
                    for file in files
                )
                for part, files in parts.items()
            }
            flags = [bool(values.get(name)) for name in ("calibration_on_crops", "crosswise")]
            return cls(parts, flags[0], values.get("note"), flags[1])
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{os.fspath(source)} does not say which images trained and calibrated a detector "
                f"({error!r} in it): {_REMEDY}."
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Returns the record, ready for JSON: for each part the `SeenImage` of each file."""
        listed = {part: [image._asdict() for image in self.images(part)] for part in ALL_PARTS}
        kind = {
            "calibration_on_crops": self.calibration_on_crops,
            "crosswise": self.crosswise,
            "note": self.note,
        }
        return {**kind, **listed}

    def images(self, part: str) -> tuple[SeenImage, ...]:
        """Returns the images of a part."""
        return tuple(self.parts.get(part, ()))

    def hashes(self, *parts: str) -> dict[str, str]:
        """Returns a dict from content hash to relative path, of one part or several."""
        return {image.sha256: image.path for part in parts for image in self.images(part)}

    def replace(self, **parts: Iterable[ImageRecord]) -> "Provenance":
        """Returns the record with other images in some parts, as in `replace(calibration=...)`.

        New calibration images are whole: what was said of crops is dropped.
        """
        new = {part: _name(records) for part, records in parts.items()}
        kept = {} if "calibration" in parts else {"note": self.note}
        on_crops = self.calibration_on_crops and "calibration" not in parts
        crosswise = self.crosswise and "calibration" not in parts
        former = dict(self.parts)
        if not crosswise:
            former["train"] = _without_folds(self.images("train"))
        return Provenance({**former, **new}, on_crops, crosswise=crosswise, **kept)

    def with_further(self, records: Iterable[ImageRecord]) -> "Provenance":
        """Returns the record of a detector that has learnt from further images.

        They calibrate it, too, and nothing else does any more.
        """
        records = tuple(records)
        further = _name(records, fold_by_group(number_groups(records)))
        train = (*_without_folds(self.images("train")), *further)
        return Provenance({**self.parts, "train": train, "calibration": ()}, crosswise=True)

    def refuse_overlap(
        self,
        records: Iterable[ImageRecord],
        parts: Sequence[str] = ("train", "validation", *DEFECTIVE),
        reason: str = "thresholds from images that it has seen would promise too much",
    ) -> None:
        """Refuses images that a run has already seen.

        Args:
            records: Images to calibrate the run with, or to compare with those that did.
            parts: The parts that must not contain them.
            reason: str. Why not, for the message.

        Raises:
            InputError: If one of the images, by content, is in one of the parts.
        """
        records = list(records)
        for part in parts:
            known = self.hashes(part)
            seen = [record for record in records if record.content_hash in known]
            if seen:
                raise InputError(
                    f"{seen[0].path}: this image ({len(seen)} of the {len(records)} given) is in "
                    f"the run's {part} part (as {known[seen[0].content_hash]}), and {reason}; "
                    "leave them out."
                )

    def restore(
        self,
        records: Iterable[ImageRecord],
        parts: Sequence[str] = PARTS,
        source: str | os.PathLike = "the record",
    ) -> GoodSplit:
        """Repeats the split, with images that are found by their contents.

        They may have been moved or renamed since, and keep their groups; images that the record
        does not list are left out. Parts other than `parts` stay empty: the calibration images may
        be in a folder of their own.

        Raises:
            InputError: If an image is missing.
        """
        by_hash = {}
        groups = {image.sha256: image.group for part in ALL_PARTS for image in self.images(part)}
        for record in records:
            record = dataclasses.replace(record, group=groups.get(record.content_hash))
            by_hash.setdefault(record.content_hash, []).append(record)
        restored = dict.fromkeys(PARTS, ())
        for part in parts:
            known = self.hashes(part)
            missing = [name for content, name in known.items() if content not in by_hash]
            if missing:
                raise InputError(
                    f"{os.fspath(source)}: {len(missing)} of its {part} images are missing from "
                    f"the data or were changed, such as {missing[0]}; give the folder that it "
                    "describes."
                )
            found = [by_hash[content] for content in known]
            one_each = part == "calibration" or (self.calibration_on_crops and part == "validation")
            restored[part] = joined(without_copies(found) if one_each else found)
        # A test image that is gone changes nothing that was learnt.
        test = [by_hash[content] for content in self.hashes(TEST) if content in by_hash]
        return GoodSplit(
            **restored,
            calibration_on_crops=self.calibration_on_crops,
            note=self.note,
            test=joined(test),
            crosswise=self.crosswise,
        )


def read_provenance(path: str | os.PathLike) -> Provenance:
    """Reads the record of a `split.json`, or of a `.keras` file, without building its model.

    Raises:
        InputError: The file cannot be read or has no such record.
    """
    path = Path(path)
    if path.suffix != ".keras":
        return Provenance.from_dict(read_json(path, PARTS, _REMEDY), path)
    try:
        with zipfile.ZipFile(path) as archive:
            values = parse_json(archive.read("config.json"))["config"]["provenance"]
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {_REMEDY}.") from error
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, EOFError) as error:
        raise InputError(
            f"{path} is not a detector, or is damaged ({error}): {_REMEDY}."
        ) from error
    return Provenance.from_dict(values, path)


def _name(
    records: Iterable[ImageRecord], folds: Iterable[int] | None = None
) -> tuple[SeenImage, ...]:
    images = tuple(
        SeenImage(record.relative_path, record.content_hash, record.group) for record in records
    )
    if folds is None:
        return images
    return tuple(image._replace(fold=int(fold)) for image, fold in zip(images, folds, strict=True))


def _without_folds(images: Iterable[SeenImage]) -> tuple[SeenImage, ...]:
    return tuple(image._replace(fold=None) for image in images)
