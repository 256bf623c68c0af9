"""What the index of a category holds, and what is reported."""

import shutil

import numpy as np
import pytest
from PIL import Image

from kerasad.data import read_category, read_images
from kerasad.data.decoding import Decoding
from kerasad.errors import InputError


def messages(index):
    return [problem.message for problem in index.problems]


def names(records):
    return [record.relative_path for record in records]


def test_a_test_image_is_not_used_for_training(category):
    shutil.copy(category / "test/scratch/009.png", category / "train/good/copy.png")
    index = read_category(category)
    assert len(index.good) == 6
    assert "copy.png: the same image is in the test set" in messages(index)[0]
    with pytest.raises(InputError, match=r"copy\.png: the same image"):
        read_category(category, on_bad="raise")


def test_an_image_that_is_good_and_defective_is_reported(category):
    shutil.copy(category / "test/good/006.png", category / "test/scratch/008.png")
    message = "the same image is also in the test set as test/good/006.png"
    assert any(message in text for text in messages(read_category(category, on_bad="raise")))


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_category(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="it is a file"):
        read_category(tmp_path / "file")


@pytest.mark.parametrize(
    ("brightest", "max_value", "message"),
    [
        (4000, None, "set `max_value` to 4095"),
        (600, None, "set `max_value` to 1023"),
        (4000, 4095, None),
        (5000, 4095, "cut off at 4095 (`max_value`)"),
        (60_000, None, None),
    ],
)
def test_an_implausible_white_level_is_reported(brightest, max_value, message, category):
    pixels = np.full((32, 24), brightest, "uint16")
    Image.fromarray(pixels).save(category / "train/good/deep.png")
    found = messages(read_category(category, decoding=Decoding(max_value), on_bad="raise"))
    assert len(found) == (message is not None)
    assert message is None or message in found[0]


def test_an_unknown_on_bad_is_refused(category):
    with pytest.raises(InputError, match="on_bad"):
        read_category(category, on_bad="hope")


def test_without_verifying_only_headers_are_read(category):
    path = category / "train/good/003.png"
    path.write_bytes(path.read_bytes()[:200])
    assert len(read_category(category, verify=False).good) == 6
    assert len(read_category(category).good) == 5


def test_images_named_one_by_one_get_different_names(category):
    paths = [category / "test/good/006.png", category / "train"]
    records, problems = read_images(paths)
    assert names(records)[:2] == ["test/good/006.png", "train/good/000.png"]
    assert (len(records), problems) == (7, ())
    assert names(read_images(category / "test/good/006.png")[0]) == ["006.png"]
    assert names(read_images(category / "train/good")[0])[0] == "000.png"


def test_images_named_twice_are_read_once(category):
    folder = category / "train/good"
    assert len(read_images([folder, folder / "000.png", folder])[0]) == 6


def test_a_missing_image_is_a_problem_of_that_image(category):
    records, problems = read_images([category / "train/good/000.png", category / "none.png"])
    assert len(records) == 1
    assert "none.png: the file cannot be read (No such file or directory)" in problems[0].message
    with pytest.raises(InputError, match=r"none\.png"):
        read_images([category / "none.png"], on_bad="raise")
