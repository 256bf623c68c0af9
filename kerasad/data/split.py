"""The split of the good images into train, validation and calibration.

The guarantee of the thresholds requires calibration images that nothing else has seen. The split
therefore goes by content: identical files stay together.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kerasad.data.image_files import ImageRecord
from kerasad.data.index import CategoryIndex
from kerasad.data.problems import format_problems
from kerasad.errors import InputError

PARTS = ("train", "validation", "calibration")
LABELLED = "labelled"
"""The part of the images labelled defective."""
TEST = "test"
"""The part of the images set aside for tests."""
# With fewer images, no part could have one and leave enough to learn from.
MIN_IMAGES = 5


@dataclass(frozen=True)
class GoodSplit:
    """The three parts of the good images, each sorted by path.

    Args:
        train: tuple of `ImageRecord`.
        validation: tuple of `ImageRecord`.
        calibration: tuple of `ImageRecord`, one of each content: copies of an image are one sample
            and must not count as several.
        calibration_on_crops: bool. Whether there were too few images: validation and calibration
            then hold the same left-out image, which is used in crops, and nothing is guaranteed.
        note: str or None. A remark for the user.
    """

    train: tuple[ImageRecord, ...]
    validation: tuple[ImageRecord, ...]
    calibration: tuple[ImageRecord, ...]
    calibration_on_crops: bool = False
    note: str | None = None


def split_good(
    records: Sequence[ImageRecord],
    fractions: Sequence[float] = (0.7, 0.1, 0.2),
    seed: int = 0,
) -> GoodSplit:
    """Splits good images at random.

    Of n different images (by content), validation gets n * v and calibration n * c, rounded and at
    least 1, where (t, v, c) are the fractions divided by their sum; train gets the rest, at least
    1. The split depends only on the contents and the seed, not on names or order.

    Args:
        records: The good images.
        fractions: Three numbers > 0: train, validation, calibration.
        seed: int.

    Returns:
        A `GoodSplit`. With fewer than 5 different images, one of them is left out of training and
        is both validation and calibration.

    Raises:
        InputError: If there are fewer than two different images, or the fractions are invalid.
    """
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or not np.all(np.isfinite(shares)) or np.any(shares <= 0):
        raise InputError(
            "The shares of train, validation and calibration (`fractions`, or --split) must be "
            f"three numbers above 0, such as 0.7,0.1,0.2. Received: {fractions!r}"
        )
    groups = {}
    for record in sorted(records, key=lambda record: (record.content_hash, record.path)):
        groups.setdefault(record.content_hash, []).append(record)
    groups = list(groups.values())
    if len(groups) < 2:
        found = f"{len(records)} images" if len(records) != 1 else f"1 image ({records[0].path})"
        raise InputError(
            "At least two different good images are needed, one of them to set thresholds; "
            f"found {found}, {len(groups)} different; add good images."
        )
    order = np.random.default_rng(seed).permutation(len(groups))
    groups = [groups[position] for position in order]
    if len(groups) < MIN_IMAGES:
        return _leave_one_out(groups)
    num_validation, num_calibration = _count_parts(len(groups), shares / shares.sum())
    held_out = num_validation + num_calibration
    return GoodSplit(
        train=joined(groups[held_out:]),
        validation=joined(groups[num_calibration:held_out]),
        calibration=joined(without_copies(groups[:num_calibration])),
    )


def format_split_table(index: CategoryIndex, split: GoodSplit) -> str:
    """Formats a table for people: how many images do what, then the note and all problems.

    Args:
        index: `CategoryIndex`.
        split: `GoodSplit` of its good images.
    """
    rows = [("train", "good", len(split.train), "")]
    if split.calibration_on_crops:
        rows.append(("left out", "good", len(split.calibration), "validates and calibrates"))
    else:
        rows.append(("validation", "good", len(split.validation), ""))
        rows.append(("calibration", "good", len(split.calibration), ""))
    masks = Counter(record.defect for record in index.test if record.mask_paths)
    classes = Counter((record.label, record.defect) for record in index.test)
    for (label, name), count in sorted(classes.items()):
        rows.append(("test", name, count, f"{masks[name]} with a mask" if label else ""))
    width = max(len(name) for _, name, _, _ in rows)
    lines = [f"{index.name}: {len(index.good)} good images, {len(index.test)} test images"]
    for part, name, count, remark in rows:
        lines.append(f"  {part:<12}{name:<{width}}{count:>7}  {remark}".rstrip())
    if split.note:
        lines.append(f"  note: {split.note}")
    if index.problems:
        lines.append(format_problems(index.problems))
    return "\n".join(lines)


def _count_parts(count: int, shares: np.ndarray) -> tuple[int, int]:
    validation, calibration = (max(1, int(count * share + 0.5)) for share in shares[1:])
    while validation + calibration > count - 1:  # train needs one too
        if validation > calibration:
            validation -= 1
        else:
            calibration -= 1
    return validation, calibration


def _leave_one_out(groups: list[list[ImageRecord]]) -> GoodSplit:
    left_out = joined(without_copies(groups[:1]))
    note = (
        f"{len(groups)} different good images are too few for a guaranteed false-alarm rate: "
        f"scales and thresholds come from crops of {left_out[0].relative_path}, which is left out "
        f"of training; {MIN_IMAGES} images or more give a guarantee."
    )
    return GoodSplit(joined(groups[1:]), left_out, left_out, calibration_on_crops=True, note=note)


def without_copies(groups: Iterable[list[ImageRecord]]) -> list[list[ImageRecord]]:
    """Returns groups of one image each: the first by its path."""
    return [[min(group, key=lambda record: record.path)] for group in groups]


def joined(groups: Iterable[list[ImageRecord]]) -> tuple[ImageRecord, ...]:
    """Returns the images of all groups, sorted by path."""
    records = [record for group in groups for record in group]
    return tuple(sorted(records, key=lambda record: (record.relative_path, record.path)))
