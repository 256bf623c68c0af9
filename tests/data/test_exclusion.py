"""Good files that the user leaves out."""

import shutil

import pytest

from kerasad.data import load_category, read_category
from kerasad.data.geometry import Geometry
from kerasad.data.loading import load_good_images
from kerasad.data.problems import format_problems
from kerasad.errors import InputError


def names(records):
    return [record.relative_path for record in records]


@pytest.mark.parametrize("name", ["train/good/002.png", "002.png", "good/002.png", "{root}"])
def test_a_file_is_named_by_its_path_in_the_data_or_by_an_end_of_it(category, name):
    name = name.format(root=category / "train/good/002.png")
    index = read_category(category, exclude=[name])
    assert names(index.good) == [f"train/good/{n:03d}.png" for n in (0, 1, 3, 4, 5)]
    assert index.excluded == ("train/good/002.png",)
    assert len(index.test) == 4
    path = category / "train/good/002.png"
    assert f"{path}: excluded." in format_problems(index.problems)


def test_a_file_is_named_by_its_path_in_the_working_folder(category, monkeypatch):
    monkeypatch.chdir(category.parent)
    index = read_category("bolt", exclude=["bolt/train/good/001.png"])
    assert index.excluded == ("train/good/001.png",)


def test_it_neither_trains_nor_calibrates_whatever_the_split(category):
    for crosswise in (False, True):
        data = load_category(
            category, "16x16", exclude=["002.png", "004.png"], crosswise=crosswise, split=(1, 1, 1)
        )
        parts = (data.split.train, data.split.validation, data.split.calibration, data.index.good)
        assert all(not {"002", "004"} & {n[-7:-4] for n in names(part)} for part in parts)
        assert "002.png: excluded." in data.split_table()
        assert "004.png: excluded." in data.split_table()
    good = load_good_images(str(category), Geometry(16, 16), exclude=["002.png"])
    assert len(good.records) == 5


def test_a_copy_of_it_is_left_out_too(category):
    shutil.copy(category / "train/good/002.png", category / "train/good/copy.png")
    index = read_category(category, exclude=["002.png"])
    assert len(index.good) == 5
    assert "copy.png: excluded, as the same image as train/good/002.png." in format_problems(
        index.problems
    )


def test_a_broken_file_that_is_left_out_breaks_nothing(category):
    (category / "train/good/006.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"006\.png"):
        read_category(category, on_bad="raise")
    assert len(read_category(category, on_bad="raise", exclude=["006.png"]).good) == 6


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train/good/02.png", "none of the 6 good images in .* the nearest is train/good/002.png"),
        ("elsewhere/0022.png", r"has this name; the nearest is train/good/002\.png"),
        ("zzz", "name a file that `inspect-data` shows"),
        ("test/scratch/008.png", "which is not among the good images and trains nothing"),
        ("test/good/006.png", "which is a test image and trains nothing"),
    ],
)
def test_a_name_that_is_no_good_image_is_refused_in_one_sentence(category, name, said):
    with pytest.raises(InputError, match=said) as error:
        read_category(category, exclude=[name])
    assert str(error.value).startswith(f"`exclude` names {name}, ")


def test_a_name_that_two_images_have_is_refused(tmp_path, noise, encode):
    for number, folder in enumerate(("monday", "tuesday")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(encode(noise(seed=number)))
    with pytest.raises(
        InputError, match=r"2 good images have this name, such as monday/1\.png and tuesday/1"
    ):
        read_category(tmp_path, exclude=["1.png"])
    assert names(read_category(tmp_path, exclude=["monday/1.png"]).good) == ["tuesday/1.png"]
