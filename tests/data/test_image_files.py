"""Which files of a folder are images, and what is reported of the others."""

import shutil

import pytest
from PIL import Image

from kerasad.data import read_category
from kerasad.data.image_files import read_record
from kerasad.data.problems import format_problems
from kerasad.errors import InputError


def messages(index):
    return [problem.message for problem in index.problems]


def names(records):
    return [record.relative_path for record in records]


def test_loops_of_links_end(tmp_path, noise):
    (tmp_path / "a").mkdir()
    Image.fromarray(noise(16, 16)).save(tmp_path / "a/x.png")
    (tmp_path / "a/back").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a/itself").symlink_to(tmp_path / "a/itself")
    assert names(read_category(tmp_path).good) == ["a/x.png"]


def test_linked_folders_are_followed(tmp_path, noise):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data").mkdir()
    Image.fromarray(noise(16, 16)).save(tmp_path / "elsewhere/x.png")
    (tmp_path / "data/link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert names(read_category(tmp_path / "data").good) == ["link/x.png"]


def test_dot_files_are_ignored(category):
    (category / "train/good/._000.png").write_bytes(b"what macOS leaves behind")
    (category / "test/.cache").mkdir()
    assert read_category(category).problems == ()


def test_other_image_types_are_broken(category):
    Image.new("RGB", (8, 8)).save(category / "train/good/x.webp")
    index = read_category(category)
    assert len(index.good) == 6
    assert ".webp images cannot be read" in messages(index)[0]
    with pytest.raises(InputError, match=r"x\.webp"):
        read_category(category, on_bad="raise")


def test_a_format_goes_by_content_and_not_by_suffix(category):
    (category / "train/good/000.png").rename(category / "train/good/000.jpg")
    assert len(read_category(category, on_bad="raise").good) == 6
    Image.new("RGB", (8, 8)).save(category / "train/good/x.png", "GIF")
    assert "x.png: this is a file of type GIF" in messages(read_category(category))[0]


def test_one_record_is_read(category):
    record = read_record(category / "test/scratch/008.png", category)
    assert (record.relative_path, record.label) == ("test/scratch/008.png", 0)
    assert read_record(category / "test/good/006.png").relative_path == "006.png"


def test_problems_are_printed_broken_ones_first(category):
    (category / "train/good/a.txt").write_text("")
    (category / "train/good/b.png").write_text("")
    lines = format_problems(read_category(category).problems).splitlines()
    assert lines[0] == "unusable files: 1, other remarks: 1"
    assert "b.png: the file is empty" in lines[1]
    assert "a.txt" in lines[2]
    assert format_problems(read_category(category).problems, limit=1).endswith("... and 1 more")
    assert format_problems([]) == ""


def test_what_is_said_of_many_files_of_a_folder_takes_one_line(category):
    shutil.rmtree(category / "ground_truth")
    [_, line] = format_problems(read_category(category).problems).splitlines()
    assert "test/scratch: 2 times, such as 008.png: the defect has no mask" in line
