"""What is found in a category's folder, and what is said about the rest."""

import hashlib
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from kerasad.data import read_category, read_images
from kerasad.data.decoding import Decoding
from kerasad.data.image_files import format_problems, read_record
from kerasad.errors import InputError


def messages(index):
    return [problem.message for problem in index.problems]


def names(records):
    return [record.relative_path for record in records]


def test_mvtec_layout_is_read(category):
    index = read_category(category)
    assert (index.name, index.root, index.layout) == ("bolt", str(category), "mvtec")
    assert names(index.good) == [f"train/good/00{number}.png" for number in range(6)]
    assert names(index.test) == [
        "test/good/006.png",
        "test/good/007.png",
        "test/scratch/008.png",
        "test/scratch/009.png",
    ]
    assert [record.label for record in index.test] == [0, 0, 1, 1]
    assert [record.defect for record in index.test] == ["good", "good", "scratch", "scratch"]
    assert index.problems == ()
    record = index.test[2]
    assert record.mask_path == str(category / "ground_truth/scratch/008_mask.png")
    assert (record.height, record.width, record.decoder) == (32, 24, "graph")
    content = (category / "test/scratch/008.png").read_bytes()
    assert record.content_hash == hashlib.sha256(content).hexdigest()
    assert os.path.getsize(record) == len(content)  # a record is a path


def test_a_missing_test_folder_is_fine(category):
    shutil.rmtree(category / "test")
    index = read_category(category)
    assert (index.layout, len(index.good), index.test, index.problems) == ("mvtec", 6, (), ())


def test_a_plain_folder_is_searched_recursively(tmp_path, noise):
    for number, name in enumerate(["b.png", "a/x.jpg", "a/deep/y.BMP", "z.tif"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(16, 16, number)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image, and nobody's business")
    index = read_category(tmp_path)
    assert index.layout == "folder"
    assert names(index.good) == ["a/deep/y.BMP", "a/x.jpg", "b.png", "z.tif"]
    assert [record.decoder for record in index.good] == ["graph", "graph", "graph", "pillow"]
    assert (index.test, index.problems) == ((), ())


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


def test_dot_files_are_passed_over(category):
    (category / "train/good/._000.png").write_bytes(b"what macOS leaves behind")
    (category / "test/.cache").mkdir()
    assert read_category(category).problems == ()


def test_files_that_are_no_images_are_told_in_class_folders_only(category):
    (category / "license.txt").write_text("at the root")
    (category / "test/scratch/Thumbs.db").write_bytes(b"?")
    (category / "test/scratch/more").mkdir()
    index = read_category(category, on_bad="raise")
    assert len(index.test) == 4
    thumbs, more = messages(index)
    assert thumbs.endswith("test/scratch/Thumbs.db: this is not an image.")
    assert more.endswith("test/scratch/more: folders inside a class are not read.")


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


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_defect_without_a_mask_is_kept_and_told(damage, category):
    mask = category / "ground_truth/scratch/008_mask.png"
    mask.unlink()
    if damage == "empty":
        Image.new("L", (24, 32)).save(mask)
    index = read_category(category, on_bad="raise")
    assert [record.mask_path is not None for record in index.test] == [False, False, False, True]
    assert ("has no mask" if damage == "missing" else "is empty") in messages(index)[0]


def test_a_mask_may_have_its_images_name(category):
    folder = category / "ground_truth/scratch"
    (folder / "008_mask.png").rename(folder / "008.png")
    assert read_category(category).problems == ()


def test_names_are_compared_however_an_accent_is_written(category):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    (category / "test/scratch/008.png").rename(category / f"test/scratch/{composed}.png")
    masks = category / "ground_truth/scratch"
    (masks / "008_mask.png").rename(masks / f"{decomposed}_mask.png")
    assert read_category(category).problems == ()


def test_masks_without_an_image_are_told(category):
    (category / "test/scratch/008.png").unlink()
    assert "masks without an image" in messages(read_category(category, on_bad="raise"))[0]


def test_a_picture_of_the_test_set_is_not_trained_on(category):
    shutil.copy(category / "test/scratch/009.png", category / "train/good/copy.png")
    index = read_category(category)
    assert len(index.good) == 6
    assert "copy.png: the same image is in the test set" in messages(index)[0]
    with pytest.raises(InputError, match=r"copy\.png: the same image"):
        read_category(category, on_bad="raise")


def test_a_picture_that_is_good_and_defective_is_told(category):
    shutil.copy(category / "test/good/006.png", category / "test/scratch/008.png")
    message = "the same image is also in the test set as test/good/006.png"
    assert any(message in text for text in messages(read_category(category, on_bad="raise")))


def test_an_empty_class_and_unused_folders_are_told(category):
    (category / "test/dent").mkdir()
    (category / "train/bad").mkdir()
    unused, empty = messages(read_category(category, on_bad="raise"))
    assert unused.endswith("train/bad: only the images in train/good are used for training.")
    assert empty.endswith("test/dent: no usable image.")


def test_a_folder_of_several_categories_is_refused(category):
    with pytest.raises(InputError, match="categories bolt"):
        read_category(category.parent)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_category(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="it is a file"):
        read_category(tmp_path / "file")


def test_train_without_good_is_refused(category):
    (category / "train/good").rename(category / "train/ok")
    with pytest.raises(InputError, match=r"no folder .*bolt/train/good"):
        read_category(category)


@pytest.mark.parametrize(
    ("brightest", "max_value", "message"),
    [
        (4000, None, "pass max_value=4095"),
        (600, None, "pass max_value=1023"),
        (4000, 4095, None),
        (5000, 4095, "cut off at max_value=4095"),
        (60_000, None, None),
    ],
)
def test_a_white_that_does_not_fit_is_told(brightest, max_value, message, category):
    pixels = np.full((32, 24), brightest, "uint16")
    Image.fromarray(pixels).save(category / "train/good/deep.png")
    found = messages(read_category(category, decoding=Decoding(max_value), on_bad="raise"))
    assert len(found) == (message is not None)
    assert message is None or message in found[0]


def test_an_unknown_way_with_bad_files_is_refused(category):
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


def test_one_record_is_read(category):
    record = read_record(category / "test/scratch/008.png", category, defect="scratch")
    assert (record.relative_path, record.label) == ("test/scratch/008.png", 1)
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
