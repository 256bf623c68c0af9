import json
import math
import os

import pytest

from kerasad.errors import InputError, describe_machine_failure
from kerasad.files import (
    describe_difference,
    read_json,
    refuse_other_work,
    replace_file,
    work_folder,
    write_json,
)

NAMES = ("trials.json", "weights", "search.json")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "values.json"

    def interrupted():
        with replace_file(path) as work:
            work.write_text("half")
            raise KeyboardInterrupt

    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": math.nan})
    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["values.json"]


def test_a_folder_that_refuses_is_told_by_the_name_of_the_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file") as caught:
        write_json(tmp_path / "file" / "values.json", 1)
    assert "partial" not in str(caught.value)

    def refused():
        with replace_file(tmp_path / "values.json") as work:
            raise PermissionError(13, "Permission denied", str(work))

    with pytest.raises(PermissionError) as caught:
        refused()
    assert caught.value.filename == str(tmp_path / "values.json")


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path):
    path = tmp_path / "values.json"

    def write_to_a_full_disk():
        with replace_file(path), open("/dev/full", "w") as full:
            full.write("more than fits")  # fails without a name

    with pytest.raises(OSError, match="No space left") as caught:
        write_to_a_full_disk()
    assert caught.value.filename == str(path)
    sentence = describe_machine_failure(caught.value)
    assert sentence.startswith(f"{path} cannot be read or written (No space left on device)")
    assert os.listdir(tmp_path) == []


def test_an_error_of_a_library_without_a_number_is_told_with_the_file_too(tmp_path):
    with pytest.raises(OSError, match="write failed") as caught, replace_file(tmp_path / "a.keras"):
        raise OSError("write failed")
    sentence = describe_machine_failure(caught.value)
    assert sentence.startswith(f"{tmp_path}/a.keras cannot be read or written (write failed)")


@pytest.mark.parametrize("depth", [100, 100_000])
@pytest.mark.parametrize("brackets", ["[]", ('{"a":', "}")])
def test_json_nested_too_deeply_is_one_sentence(tmp_path, depth, brackets):
    path = tmp_path / "config.json"
    opening, closing = brackets
    path.write_text(opening * depth + "1" + closing * depth)
    if depth == 100:
        read_json(path)
    else:
        with pytest.raises(InputError, match=r"config\.json is not valid JSON \(it is nested"):
            read_json(path)
    path.write_text(opening * 101 + "1" + closing * 101)
    with pytest.raises(InputError, match="more than 100 deep"):
        read_json(path)


def begin(path, overwrite=False):
    with work_folder(path, "search", NAMES, overwrite):
        (path / "search.json").touch()
        return sorted(os.listdir(path))


def fill(path):
    """Work that was done, and a run that was trained into its folder."""
    begin(path)
    (path / "weights").mkdir()
    (path / "trials.json").write_text("[]")
    (path / "tuned").mkdir()
    (path / "tuned" / "model.keras").write_text("precious")


def test_work_is_continued_with_all_its_files(tmp_path):
    fill(tmp_path / "search")
    assert begin(tmp_path / "search") == ["search.json", "trials.json", "tuned", "weights"]


def test_overwriting_deletes_its_own_files_alone(tmp_path):
    fill(tmp_path)
    assert begin(tmp_path, overwrite=True) == ["search.json", "tuned"]
    assert (tmp_path / "tuned/model.keras").read_text() == "precious"


def test_a_process_killed_while_it_wrote_the_first_file_leaves_a_usable_folder(tmp_path):
    (tmp_path / ".search.partial-123.json").write_text("{")
    assert begin(tmp_path) == ["search.json"]


def test_only_its_own_temporary_files_are_removed(tmp_path):
    fill(tmp_path)
    (tmp_path / ".tuned.partial-abc").mkdir()  # a training in progress
    (tmp_path / ".trials.partial-1.json").write_text("[")
    begin(tmp_path)
    assert [path.name for path in tmp_path.glob(".*.partial-*")] == [".tuned.partial-abc"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_anything_else_is_never_touched(overwrite, tmp_path):
    (tmp_path / "photo.png").touch()
    with pytest.raises(InputError, match="is not a search"):
        begin(tmp_path, overwrite)
    with pytest.raises(InputError, match="is not a search"):
        begin(tmp_path / "photo.png", overwrite)
    assert os.listdir(tmp_path) == ["photo.png"]


def test_a_folder_in_use_is_refused(tmp_path):
    with work_folder(tmp_path, "search", NAMES, False):
        for overwrite in (False, True):
            with pytest.raises(InputError, match="is used by another search"):
                begin(tmp_path, overwrite)
    assert begin(tmp_path) == ["search.json"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        begin(tmp_path / "file" / "search")


def test_the_first_difference_is_named_and_a_tuple_equals_a_list():
    found = {"data": {"split": [0.7, 0.3], "size": 64}, "trials": 2}
    assert (
        describe_difference(found, {"data": {"split": (0.7, 0.3), "size": 64}, "trials": 2}) is None
    )
    other = {"data": {"split": (0.7, 0.3), "size": 32}, "trials": 3}
    assert describe_difference(found, other) == "`data.size` is 64 there, 32 here"
    with pytest.raises(InputError, match=r"holds another search \(`data\.size` is 64 there"):
        refuse_other_work("folder", "search", found, other)
