"""The split of the good images into train, validation and calibration.

The guarantee of the thresholds requires calibration images that nothing else has seen. The split
therefore goes by content: identical files stay together.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kerasad.data.folds import fold_by_group
from kerasad.data.image_files import ImageRecord
from kerasad.errors import InputError

PARTS = ("train", "validation", "calibration")
LABELLED = "labelled"
"""The part of the images labelled defective."""
TUNING = "tuning"
"""The part of the real defects that weights and the review band were chosen on."""
DEFECTIVE = (LABELLED, TUNING)
"""Parts of defective images, which are no test images any more."""
TEST = "test"
"""The part of the good images that are set aside to be tested with the defective ones."""
TEST_SHARE = 0.2
# With fewer good images, all are needed to train and to calibrate.
MIN_IMAGES_FOR_TEST = 10
# With fewer images, no part could have one and leave enough to learn from.
MIN_IMAGES = 5


@dataclass(frozen=True)
class GoodSplit:
    """The parts of the good images, each sorted by path.

    Args:
        train: tuple of `ImageRecord`.
        validation: tuple of `ImageRecord`.
        calibration: tuple of `ImageRecord`, one of each content: copies of an image are one sample
            and must not count as several. Nor must images of one group, see `calibration_groups`.
        calibration_on_crops: bool. Whether there were too few images: validation and calibration
            then hold the same left-out image, which is used in crops, and nothing is guaranteed.
        note: str or None. A remark for the user.
        test: tuple of `ImageRecord`. Good images that are set aside to be tested.
        crosswise: bool. Whether the train images also calibrate, each scored by statistics of the
            others.
    """

    train: tuple[ImageRecord, ...]
    validation: tuple[ImageRecord, ...]
    calibration: tuple[ImageRecord, ...]
    calibration_on_crops: bool = False
    note: str | None = None
    test: tuple[ImageRecord, ...] = ()
    crosswise: bool = False

    @property
    def calibrating(self) -> tuple[ImageRecord, ...]:
        """The images that set thresholds."""
        return self.train if self.crosswise else self.calibration

    @property
    def train_folds(self) -> np.ndarray | None:
        """The fold of each train image, int `(n,)`; None unless they also calibrate."""
        if not self.crosswise:
            return None
        return fold_by_group(number_groups(self.train))

    @property
    def calibration_groups(self) -> np.ndarray:
        """The number of each calibration image's group, int `(n,)`, see `number_groups`."""
        return number_groups(self.calibration)

    @property
    def num_calibration_groups(self) -> int:
        """The calibration scores: one of each group."""
        return len(set(self.calibration_groups.tolist()))


def number_groups(records: Sequence[ImageRecord]) -> np.ndarray:
    """Returns an int for each image, equal for those that a split keeps together.

    Groups are numbered in the order of their first images, from 0.
    """
    unit_of = {
        record.path: unit for unit, records in enumerate(_make_units(records)) for record in records
    }
    order: dict[int, int] = {}
    numbers = [order.setdefault(unit_of[record.path], len(order)) for record in records]
    return np.asarray(numbers, int)


def split_good(
    records: Sequence[ImageRecord],
    fractions: Sequence[float] = (0.7, 0.1, 0.2),
    seed: int = 0,
    for_test: bool = False,
    crosswise: bool = False,
) -> GoodSplit:
    """Splits good images at random.

    Of n different images (by content), validation gets n * v and calibration n * c, rounded and at
    least 1, where (t, v, c) are the fractions divided by their sum; train gets the rest, at least
    1. The split depends only on the contents and the seed, not on names or order. Images of one
    group stay in one part, and are one of the n.

    Validation images of the user's own split calibrate, and nothing else does; they never train.
    Train and validation then share the rest in the ratio t to v.

    Args:
        records: The good images.
        fractions: Three numbers > 0: train, validation, calibration.
        seed: int.
        for_test: bool. Set a fifth of the images that the user has not split aside to be tested, if
            there are 10 or more. Defaults to `False`.
        crosswise: bool. Let statistics learn from all images, see `GoodSplit`, unless the user's
            own split has validation images or there are fewer than 5. Defaults to `False`.

    Returns:
        A `GoodSplit`. With fewer than 5 different images, one of them is left out of training and
        is both validation and calibration.

    Raises:
        InputError: If there are fewer than two different images, or the fractions are invalid.
    """
    shares = _checked_shares(fractions)
    units = _make_units(records)
    if len(units) < 2:
        found = f"{len(records)} images" if len(records) != 1 else f"1 image ({records[0].path})"
        raise InputError(
            "At least two different good images are needed, one of them to set thresholds; "
            f"found {found}, {len(units)} different; add good images."
        )
    order = np.random.default_rng(seed).permutation(len(units))
    units = [units[position] for position in order]
    test, units = _set_aside(units) if for_test else ([], units)
    own = [unit for unit in units if any(record.part == "validation" for record in unit)]
    if own:
        parts = _keep_users_validation(units, own, shares)
    elif len(units) < MIN_IMAGES:
        parts = _leave_one_out(units)
    elif crosswise:
        parts = GoodSplit(joined(units), (), (), crosswise=True)
    else:
        parts = _hold_out(units, shares / shares.sum())
    return dataclasses.replace(parts, test=joined(test))


def _checked_shares(fractions: Sequence[float]) -> np.ndarray:
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or not np.all(np.isfinite(shares)) or np.any(shares <= 0):
        raise InputError(
            "The shares of train, validation and calibration (`fractions`, or --split) must be "
            f"three numbers above 0, such as 0.7,0.1,0.2. Received: {fractions!r}"
        )
    return shares


def _make_units(records: Sequence[ImageRecord]) -> list[list[ImageRecord]]:
    """Returns what a split must not part: images of one content, and images of one group."""
    units: list[list[ImageRecord]] = []
    place: dict[tuple[str, str], int] = {}
    for record in sorted(records, key=lambda record: (record.content_hash, record.path)):
        keys = [("content", record.content_hash)]
        if record.group is not None:
            keys.append(("group", record.group))
        known = sorted({place[key] for key in keys if key in place})
        if known:
            into = known[0]
        else:
            into = len(units)
            units.append([])
        units[into].append(record)
        for other in known[1:]:  # this image joins two units
            units[into] += units[other]
            units[other] = []
            place = {key: into if at == other else at for key, at in place.items()}
        place.update(dict.fromkeys(keys, into))
    return [unit for unit in units if unit]


def _set_aside(units: list[list[ImageRecord]]) -> tuple[list, list]:
    """Returns units to be tested, and the rest; only what the user has not split is taken."""
    free = [unit for unit in units if all(record.part is None for record in unit)]
    if len(free) < MIN_IMAGES_FOR_TEST:
        return [], units
    test = free[: max(1, int(len(free) * TEST_SHARE + 0.5))]
    return test, [unit for unit in units if unit not in test]


def _keep_users_validation(units, own, shares) -> GoodSplit:
    """Calibrates with the user's validation images; the rest is for train and validation."""
    rest = [unit for unit in units if unit not in own]
    kept = [[record for record in unit if record.part == "validation"] for unit in own]
    num_mixed = sum(map(len, own)) - sum(map(len, kept))
    note = None
    if num_mixed:
        note = (
            f"{num_mixed} other images equal a validation image of your own split, or are of its "
            "group: they neither train nor calibrate."
        )
    if len(rest) < 2:
        raise InputError(
            "At least two different good images are needed besides the validation images of your "
            f"own split, which never train; found {len(rest)}; add good images to train."
            + (f" {note}" if note else "")
        )
    share = shares[1] / (shares[0] + shares[1])
    num_validation = min(max(1, int(len(rest) * share + 0.5)), len(rest) - 1)
    return GoodSplit(
        train=joined(rest[num_validation:]),
        validation=joined(rest[:num_validation]),
        calibration=joined(without_copies(kept)),
        note=note,
    )


def _hold_out(units, shares) -> GoodSplit:
    """Sets units apart for validation and calibration."""
    num_validation, num_calibration = _count_parts(len(units), shares)
    held_out = num_validation + num_calibration
    return GoodSplit(
        train=joined(units[held_out:]),
        validation=joined(units[num_calibration:held_out]),
        calibration=joined(without_copies(units[:num_calibration])),
    )


def _count_parts(count: int, shares: np.ndarray) -> tuple[int, int]:
    validation, calibration = (max(1, int(count * share + 0.5)) for share in shares[1:])
    while validation + calibration > count - 1:  # train needs one too
        if validation > calibration:
            validation -= 1
        else:
            calibration -= 1
    return validation, calibration


def _leave_one_out(groups: list[list[ImageRecord]]) -> GoodSplit:
    left_out = joined(without_copies(groups[:1]))[:1]
    note = (
        f"{len(groups)} different good images, or groups of them, are too few for a guaranteed "
        f"false-alarm rate: scales and thresholds come from crops of {left_out[0].relative_path}, "
        f"which is left out of training; {MIN_IMAGES} images or more give a guarantee."
    )
    return GoodSplit(joined(groups[1:]), left_out, left_out, calibration_on_crops=True, note=note)


def without_copies(groups: Iterable[list[ImageRecord]]) -> list[list[ImageRecord]]:
    """Returns one image of each content."""
    kept: dict[str, ImageRecord] = {}
    for group in groups:
        for record in sorted(group, key=lambda record: record.path):
            kept.setdefault(record.content_hash, record)
    return [[record] for record in kept.values()]


def joined(groups: Iterable[list[ImageRecord]]) -> tuple[ImageRecord, ...]:
    """Returns the images of all groups, sorted by path."""
    records = [record for group in groups for record in group]
    return tuple(sorted(records, key=lambda record: (record.relative_path, record.path)))
