"""What the split does with the parts, groups and defects of the data."""

import dataclasses

import pytest
from PIL import Image

from kerasad.data import ImageRecord, load_category
from kerasad.data.provenance import Provenance
from kerasad.data.split import split_good
from kerasad.errors import InputError
from kerasad.files import write_json


def make_records(count, part=None, start=0, group=None):
    return [
        ImageRecord(
            path=f"/data/{number:03d}.png",
            relative_path=f"{number:03d}.png",
            label=0,
            defect="good",
            height=8,
            width=8,
            content_hash=f"hash of {number}",
            decoder="graph",
            part=part,
            group=group,
        )
        for number in range(start, start + count)
    ]


def sizes(split):
    return tuple(len(p) for p in (split.train, split.validation, split.calibration, split.test))


def test_validation_images_of_the_user_calibrate_and_never_train():
    own = make_records(6, "validation", start=100)
    copy = dataclasses.replace(own[0], path="/data/copy.png", part="train")
    split = split_good([*make_records(16, "train"), *own, copy])
    assert sizes(split) == (14, 2, 6, 0)
    assert {record.content_hash for record in split.calibration} == {r.content_hash for r in own}
    with pytest.raises(InputError, match=r"besides the validation images .* found 1;"):
        split_good([*make_records(1, "train"), *own])


@pytest.mark.parametrize(("count", "expected"), [(9, 0), (10, 2), (50, 10)])
def test_a_fifth_of_the_good_images_is_set_aside_where_defects_have_no_good_ones(count, expected):
    split = split_good(make_records(count), for_test=True)
    assert len(split.test) == expected
    assert sum(sizes(split)) == count
    assert split_good(make_records(count), for_test=True) == split
    assert split_good(make_records(count, "train"), for_test=True).test == ()
    assert split_good(make_records(count)).test == ()


def test_images_of_one_group_stay_in_one_part():
    groups = [make_records(3, start=3 * n, group=f"item {n}") for n in range(20)]
    split = split_good([record for group in groups for record in group], for_test=True)
    assert sizes(split) == (33, 6, 9, 12)
    parts = (split.train, split.validation, split.calibration, split.test)
    for group in groups:
        assert sum(any(record in part for record in group) for part in parts) == 1


def test_a_copy_ties_two_groups_and_calibrates_once():
    first = make_records(2, group="a")
    second = [dataclasses.replace(record, path=f"/b{record.path}", group="b") for record in first]
    split = split_good([*first, *second, *make_records(40, start=10)], seed=3)
    holding = [
        part for part in (split.train, split.validation, split.calibration) if first[0] in part
    ]
    assert len(holding) == 1
    calibrating = [record.content_hash for record in split.calibration]
    assert len(set(calibrating)) == len(calibrating)


def test_the_test_part_is_recorded_and_restored():
    records = make_records(20)
    split = split_good(records, for_test=True)
    record = Provenance.from_dict(Provenance.from_split(split).to_dict())
    assert len(record.images("test")) == 4
    assert record.restore(records) == split
    assert record.restore([r for r in records if r not in split.test]).test == ()


@pytest.fixture
def shop(tmp_path, noise):
    for number, folder in enumerate(["ok"] * 20 + ["nok"] * 3):
        path = tmp_path / "shop" / folder / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(32, 32, number)).save(path)
    return tmp_path / "shop"


def test_a_category_of_good_and_bad_has_good_test_images_that_nothing_learns_from(shop, tmp_path):
    data = load_category(shop, 32)
    assert sorted(record.defect for record in data.index.test) == ["good"] * 4 + ["nok"] * 3
    assert len(data.index.good) == 16
    write_json(tmp_path / "split.json", Provenance.from_split(data.split).to_dict())
    again = load_category(shop, 32, seed=5, split=tmp_path / "split.json")
    assert (again.split, again.index.test) == (data.split, data.index.test)
    table = data.split_table()
    for line in ("shop: read as good and bad side by side", "  defective   nok", "kind: nok"):
        assert line in table


def test_named_folders_reach_the_category(shop):
    data = load_category(shop, 32, good=["nok"], bad=["ok"])
    assert (len(data.index.good), len(data.index.test)) == (3, 20)


def test_of_a_group_that_spans_the_users_parts_only_validation_images_are_used():
    spanning = [
        *make_records(1, "train", group="item"),
        *make_records(1, "validation", start=1, group="item"),
    ]
    rest = [*make_records(8, "train", start=2), *make_records(2, "validation", start=10)]
    split = split_good([*spanning, *rest])
    assert not set(spanning) & {*split.train, *split.validation}
    assert set(spanning) & set(split.calibration) == {spanning[1]}
    assert len(split.calibration) == 3
    assert "1 other images equal a validation image" in split.note
