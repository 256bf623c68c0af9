"""The record of which image did what, in `split.json` and in `detector.keras`."""

import dataclasses
import json
import zipfile

import pytest
from records import make_records

from kerasad.data.provenance import Provenance, read_provenance
from kerasad.data.split import PARTS, split_good
from kerasad.errors import InputError
from kerasad.files import write_json


@pytest.mark.parametrize("count", [3, 20])
def test_a_recorded_split_is_restored(count, tmp_path):
    records = make_records(count, copies=2)
    split = split_good(records)
    write_json(tmp_path / "split.json", Provenance.from_split(split).to_dict())
    assert read_provenance(tmp_path / "split.json").restore(reversed(records)) == split


def test_split_json_names_every_file_its_hash_and_its_group():
    split = split_good(make_records(5))
    provenance = Provenance.from_split(split)
    values = provenance.to_dict()
    assert values["calibration"] == [
        {
            "path": split.calibration[0].relative_path,
            "sha256": split.calibration[0].content_hash,
            "group": None,
            "fold": None,
        }
    ]
    assert [len(values[part]) for part in PARTS] == [3, 1, 1]
    assert set(provenance.hashes("train")) == {record.content_hash for record in split.train}
    assert Provenance.from_dict(json.loads(json.dumps(values))) == provenance


def test_labelled_images_and_those_set_aside_are_parts_of_their_own():
    records = make_records(8)
    provenance = Provenance.from_split(
        dataclasses.replace(split_good(records[:5]), test=tuple(records[6:])), records[5:6]
    )
    assert provenance.hashes("labelled") == {"hash of 5": "005_0.png"}
    assert len(provenance.hashes("labelled", "test")) == 3


def test_new_calibration_images_replace_the_old_ones_alone():
    records = make_records(12)
    split = split_good(records[:3])
    provenance = Provenance.from_split(split).replace(calibration=records[9:])
    again = provenance.restore(records)
    assert (again.train, again.validation) == (split.train, split.validation)
    assert again.calibration == tuple(records[9:])
    assert (again.calibration_on_crops, again.note) == (False, None)
    assert provenance.restore(records[:9], ("train", "validation")).calibration == ()


def test_further_images_train_and_calibrate_and_no_others_calibrate_any_more():
    split = split_good(make_records(20), (0.5, 0.2, 0.3), seed=0)
    further = make_records(26)[20:]
    known = Provenance.from_split(split).with_further(further)
    assert [image.path for image in known.images("train")] == [
        record.relative_path for record in (*split.train, *further)
    ]
    assert known.images("validation") == Provenance.from_split(split).images("validation")
    assert known.images("calibration") == ()
    assert Provenance.from_dict(known.to_dict()) == known
    assert known.crosswise


def test_images_that_also_calibrate_are_recorded_with_the_fold_that_they_were_scored_in():
    records = make_records(26)
    split = split_good(records[:20], crosswise=True)
    record = Provenance.from_split(split)
    assert [image.fold for image in record.images("train")] == split.train_folds.tolist()
    assert len(set(split.train_folds)) == 10
    assert Provenance.from_dict(json.loads(json.dumps(record.to_dict()))) == record
    # The images of an update are scored by statistics of all former ones.
    folds = [image.fold for image in record.with_further(records[20:]).images("train")]
    assert folds == [None] * 20 + list(range(6))
    # New images that only calibrate take the place of all left-out scores.
    replaced = record.replace(calibration=records[20:])
    assert {image.fold for image in replaced.images("train")} == {None}


def test_images_missing_from_the_data_are_named():
    records = make_records(9)
    split = split_good(records)
    with pytest.raises(InputError, match=f"1 of its train .*{split.train[0].relative_path}"):
        Provenance.from_split(split).restore(
            [record for record in records if record != split.train[0]]
        )


def test_images_that_a_run_has_seen_may_not_calibrate_it():
    records = make_records(30)
    split = split_good(records[:20])
    provenance = Provenance.from_split(split)
    provenance.refuse_overlap(records[20:])
    provenance.refuse_overlap(split.calibration)
    renamed = dataclasses.replace(split.train[0], path="/new/name.png", relative_path="name.png")
    with pytest.raises(InputError, match=r"/new/name\.png: this image \(1 of the 11 given\)"):
        provenance.refuse_overlap([*records[20:], renamed])
    with pytest.raises(InputError, match="validation part"):
        provenance.refuse_overlap(split.validation)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"train": 3}', '{"train": [{}]}'])
def test_files_that_are_no_split_are_refused(content, tmp_path):
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(InputError, match=r"split\.json"):
        read_provenance(tmp_path / "split.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_provenance(tmp_path / "none.json")


@pytest.mark.parametrize("config", ["", "[]", "{}", '{"config": 3}', '{"config": {}}'])
def test_archives_without_a_record_are_refused(config, tmp_path):
    path = tmp_path / "detector.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
    with pytest.raises(InputError, match=r"detector\.keras"):
        read_provenance(path)
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"detector\.keras is not a detector, or is damaged"):
        read_provenance(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_provenance(tmp_path / "none.keras")
