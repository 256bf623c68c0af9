"""The split into train, validation and calibration."""

import dataclasses
import random

import pytest
from records import make_records

from kerasad.data.split import PARTS, number_groups, split_good
from kerasad.errors import InputError


def sizes(split):
    return tuple(len(getattr(split, part)) for part in PARTS)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(209, (146, 21, 42)), (20, (14, 2, 4)), (10, (7, 1, 2)), (6, (4, 1, 1)), (5, (3, 1, 1))],
)
def test_parts_have_their_share_and_at_least_one(count, expected):
    split = split_good(make_records(count))
    assert sizes(split) == expected
    assert (split.calibration_on_crops, split.note) == (False, None)


def test_train_keeps_one_whatever_the_fractions():
    assert sizes(split_good(make_records(5), (1, 1, 98))) == (1, 1, 3)
    assert sizes(split_good(make_records(5), (1, 98, 1))) == (1, 3, 1)


def test_every_image_is_in_one_part():
    records = make_records(23)
    split = split_good(records)
    together = [record for part in PARTS for record in getattr(split, part)]
    assert sorted(together, key=lambda record: record.path) == records


def test_copies_stay_together():
    split = split_good(make_records(10, copies=3))
    assert sizes(split) == (21, 3, 2)  # a copy promises nothing more
    hashes = [{record.content_hash for record in getattr(split, part)} for part in PARTS]
    assert sum(len(part) for part in hashes) == len(set.union(*hashes)) == 10


def test_a_split_depends_on_contents_and_seed_only():
    records = make_records(20)
    renamed = [
        dataclasses.replace(record, path=f"/other/{record.content_hash}", relative_path=str(number))
        for number, record in enumerate(reversed(records))
    ]
    random.Random(0).shuffle(renamed)
    hashes = [
        [{record.content_hash for record in getattr(split, part)} for part in PARTS]
        for split in (split_good(records), split_good(renamed), split_good(records, seed=1))
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_with_few_images_one_is_left_out_with_a_note(count):
    split = split_good(make_records(count))
    assert sizes(split) == (count - 1, 1, 1)
    assert split.validation == split.calibration
    assert not set(split.train) & set(split.calibration)
    assert split.calibration_on_crops
    assert split.calibration[0].relative_path in split.note


def test_copies_do_not_make_few_images_many():
    split = split_good(make_records(4, copies=3))
    assert split.calibration_on_crops
    assert sizes(split) == (9, 1, 1)


@pytest.mark.parametrize("records", [[], make_records(1), make_records(1, copies=9)])
def test_less_than_two_different_images_are_refused(records):
    with pytest.raises(InputError, match="two different good images"):
        split_good(records)


@pytest.mark.parametrize("fractions", [(1, 1), (0.8, 0, 0.2), (1, 1, float("nan")), (1, 1, -1)])
def test_useless_fractions_are_refused(fractions):
    with pytest.raises(
        InputError, match=r"train, validation and calibration \(`fractions`, or --split\)"
    ):
        split_good(make_records(9), fractions)


def test_calibration_counts_groups_and_each_image_knows_its_own():
    records = [
        dataclasses.replace(record, group=f"scene {number // 5}")
        for number, record in enumerate(make_records(50))
    ]
    split = split_good(records)
    assert (len(split.calibration), split.num_calibration_groups) == (10, 2)
    scenes = [record.group for record in split.calibration]
    assert split.calibration_groups.tolist() == [int(scene != scenes[0]) for scene in scenes]
    assert number_groups(make_records(3, copies=2)).tolist() == [0, 0, 1, 1, 2, 2]


def test_all_images_train_and_calibrate_crosswise():
    records = make_records(12)
    split = split_good(records, crosswise=True)
    assert (sizes(split), split.crosswise, list(split.train)) == ((12, 0, 0), True, records)


def test_a_users_validation_images_calibrate_alone_though_crosswise_is_asked_for():
    records = make_records(12)
    records[:4] = [dataclasses.replace(record, part="validation") for record in records[:4]]
    split = split_good(records, crosswise=True)
    assert not split.crosswise
    assert list(split.calibration) == records[:4]


def test_few_images_are_not_split_crosswise():
    split = split_good(make_records(4), crosswise=True)
    assert (split.crosswise, split.calibration_on_crops) == (False, True)


def test_crosswise_all_images_train_and_calibrate():
    split = split_good(make_records(12), crosswise=True)
    assert split.calibrating == split.train
    apart = split_good(make_records(12))
    assert apart.calibrating == apart.calibration
