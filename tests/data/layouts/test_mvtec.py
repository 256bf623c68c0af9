"""MVTec's layout: what is read, and what is reported."""

import hashlib
import os
import shutil

import pytest
from PIL import Image

from kerasad.data import read_category
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
    assert record.mask_paths == (str(category / "ground_truth/scratch/008_mask.png"),)
    assert (record.height, record.width, record.decoder) == (32, 24, "graph")
    content = (category / "test/scratch/008.png").read_bytes()
    assert record.content_hash == hashlib.sha256(content).hexdigest()
    assert os.path.getsize(record) == len(content)  # a record is a path


def test_a_missing_test_folder_is_fine(category):
    shutil.rmtree(category / "test")
    index = read_category(category)
    assert (index.layout, len(index.good), index.test, index.problems) == ("mvtec", 6, (), ())


def test_files_that_are_no_images_are_reported_in_class_folders_only(category):
    (category / "license.txt").write_text("at the root")
    (category / "test/scratch/Thumbs.db").write_bytes(b"?")
    (category / "test/scratch/more").mkdir()
    index = read_category(category, on_bad="raise")
    assert len(index.test) == 4
    thumbs, more = messages(index)
    assert thumbs.endswith("test/scratch/Thumbs.db: this is not an image.")
    assert more.endswith("test/scratch/more: folders inside a class are not read.")


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_defect_without_a_mask_is_kept_and_reported(damage, category):
    mask = category / "ground_truth/scratch/008_mask.png"
    mask.unlink()
    if damage == "empty":
        Image.new("L", (24, 32)).save(mask)
    index = read_category(category, on_bad="raise")
    assert [len(record.mask_paths) for record in index.test] == [0, 0, 0, 1]
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


def test_masks_without_an_image_are_reported(category):
    (category / "test/scratch/008.png").unlink()
    assert "masks without an image" in messages(read_category(category, on_bad="raise"))[0]


def test_an_empty_class_and_unused_folders_are_reported(category):
    (category / "test/dent").mkdir()
    (category / "train/bad").mkdir()
    unused, empty = messages(read_category(category, on_bad="raise"))
    assert unused.endswith("train/bad: only the images in train/good are used for training.")
    assert empty.endswith("test/dent: no usable image.")


def test_a_folder_of_several_categories_is_refused(category):
    with pytest.raises(InputError, match="categories bolt"):
        read_category(category.parent)


@pytest.mark.parametrize("name", ["ok", "Good", "GOOD"])
def test_good_test_images_under_another_word_are_never_defective(category, name):
    (category / "test/good").rename(category / "test" / name)
    index = read_category(category)
    assert [record.label for record in index.test if f"/{name}/" in record.path] == [0, 0]
    assert sum(record.label for record in index.test) == 2


@pytest.mark.parametrize("name", ["masks", "predictions", "images", "good_ones"])
def test_a_test_folder_that_is_called_like_no_defect_is_not_read_as_one(category, name):
    shutil.copytree(category / "test/scratch", category / "test" / name)
    if name in ("images", "good_ones"):
        with pytest.raises(InputError, match="--good, --bad and --masks"):
            read_category(category)
    else:
        assert sum(record.label for record in read_category(category).test) == 2


def test_train_without_good_is_a_folder_of_good_images(category):
    (category / "train/good").rename(category / "train/ok")
    index = read_category(category)
    assert (index.layout, len(index.good), len(index.test)) == ("split by the user", 6, 4)


@pytest.mark.parametrize("pair", [("0", "1"), ("true", "false"), ("Yes", "No"), ("a", "b")])
def test_two_test_folders_named_like_two_classes_are_asked_about(draw, pair):
    data = draw("train/good/3", *(f"test/{name}/2" for name in pair))
    with pytest.raises(InputError, match=r"test: its folders .* seem to be good and defective"):
        read_category(data)
    good, bad = (f"test/{name}" for name in pair)
    index = read_category(data, good=["train/good", good], bad=[bad])
    assert [len(index.good), len(index.test)] == [3, 4]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("test/a.png", "test"),
        ("train/a.png", "train"),
        ("a.png", ""),
        ("unlabelled/a.png", "unlabelled"),
        ("unlabelled/deep/a.png", "unlabelled/deep"),
    ],
)
def test_images_that_have_no_place_in_the_layout_are_reported(category, write_images, name, folder):
    write_images(f"{category.name}/{name}", f"{category.name}/{name.replace('a.', 'b.')}")
    index = read_category(category)
    assert (index.layout, len(index.good), len(index.test)) == ("mvtec", 6, 4)
    assert messages(index) == [
        f"{category / folder}: 2 images not read: the layout has no place for them."
    ]


@pytest.mark.parametrize("folder", ["label/scratch", "masks", "ground_truth", "ground_truth/foo"])
def test_masks_are_found_wherever_they_lie(category, folder):
    masks = category / "ground_truth"
    for mask in list((masks / "scratch").iterdir()):
        (category / folder).mkdir(parents=True, exist_ok=True)
        mask.rename(category / folder / mask.name)
    (masks / "scratch").rmdir()
    if folder == "ground_truth/foo":  # a folder that names no kind
        index = read_category(category)
        assert [len(record.mask_paths) for record in index.test] == [0, 0, 0, 0]
        assert "masks without a defective image" in messages(index)[0]
        return
    index = read_category(category)
    assert [len(record.mask_paths) for record in index.test] == [0, 0, 1, 1]
    assert index.problems == ()


def test_a_loose_mask_of_two_kinds_is_of_neither(category, write_images):
    write_images(f"{category.name}/test/dent/008.png")
    mask = category / "ground_truth/scratch/008_mask.png"
    mask.rename(category / "ground_truth/008_mask.png")
    index = read_category(category)
    assert sum(len(record.mask_paths) for record in index.test) == 1
    assert any("masks that fit more than one image" in message for message in messages(index))
