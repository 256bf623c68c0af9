"""The split into train, validation and calibration, and its file."""

import dataclasses
import json
import random

import pytest

from kerasad.data import ImageRecord
from kerasad.data.split import (
    PARTS,
    read_split,
    refuse_overlap,
    replace_calibration,
    restore_split,
    split_good,
    write_split,
)
from kerasad.errors import InputError
from kerasad.files import write_json


def make_records(count, copies=1):
    """`count` different images, each under `copies` names."""
    return [
        ImageRecord(
            path=f"/data/{number:03d}_{copy}.png",
            relative_path=f"{number:03d}_{copy}.png",
            label=0,
            defect="good",
            mask_paths=(),
            height=8,
            width=8,
            content_hash=f"hash of {number}",
            decoder="graph",
        )
        for number in range(count)
        for copy in range(copies)
    ]


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


@pytest.mark.parametrize("count", [3, 20])
def test_a_written_split_is_restored(count, tmp_path):
    records = make_records(count, copies=2)
    split = split_good(records)
    write_split(tmp_path / "split.json", split)
    assert restore_split(tmp_path / "split.json", reversed(records)) == split
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def test_split_json_names_every_file_and_its_hash(tmp_path):
    split = split_good(make_records(5))
    write_split(tmp_path / "split.json", split)
    values = json.loads((tmp_path / "split.json").read_text())
    assert values["calibration"] == [
        {"path": split.calibration[0].relative_path, "sha256": split.calibration[0].content_hash}
    ]
    assert [len(values[part]) for part in PARTS] == [3, 1, 1]
    hashes = read_split(tmp_path / "split.json")
    assert set(hashes["train"]) == {record.content_hash for record in split.train}


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "split.json"
    write_split(path, split_good(make_records(5)))
    before = path.read_text()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_split(path, split_good(make_records(20)))
    assert path.read_text() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["split.json"]


def test_new_calibration_images_replace_the_old_ones_alone(tmp_path):
    records, path = make_records(12), tmp_path / "split.json"
    split = split_good(records[:3])
    write_split(path, split)
    write_json(path, replace_calibration(path, records[9:]))
    again = restore_split(path, records)
    assert (again.train, again.validation) == (split.train, split.validation)
    assert again.calibration == tuple(records[9:])
    assert (again.calibration_on_crops, again.note) == (False, None)
    assert restore_split(path, records[:9], ("train", "validation")).calibration == ()
    assert [entry.name for entry in tmp_path.iterdir()] == ["split.json"]


def test_images_missing_from_the_data_are_named(tmp_path):
    records = make_records(9)
    split = split_good(records)
    write_split(tmp_path / "split.json", split)
    with pytest.raises(InputError, match=f"1 of its train .*{split.train[0].relative_path}"):
        restore_split(
            tmp_path / "split.json", [record for record in records if record != split.train[0]]
        )


def test_images_that_a_run_has_seen_may_not_calibrate_it(tmp_path):
    records = make_records(30)
    split = split_good(records[:20])
    write_split(tmp_path / "split.json", split)
    refuse_overlap(records[20:], tmp_path / "split.json")
    refuse_overlap(split.calibration, tmp_path / "split.json")
    renamed = dataclasses.replace(split.train[0], path="/new/name.png", relative_path="name.png")
    with pytest.raises(InputError, match=r"/new/name\.png: this image \(1 of the 11 given\)"):
        refuse_overlap([*records[20:], renamed], tmp_path / "split.json")
    with pytest.raises(InputError, match="validation part"):
        refuse_overlap(split.validation, tmp_path / "split.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"train": 3}', '{"train": [{}]}'])
def test_files_that_are_no_split_are_refused(content, tmp_path):
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(InputError, match=r"split\.json"):
        read_split(tmp_path / "split.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_split(tmp_path / "none.json")
