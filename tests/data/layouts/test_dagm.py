"""DAGM 2007: masks of defects only, and a list of labels."""

import shutil

import pytest

from kerasad.data import read_category
from kerasad.data.layouts import LAYOUTS, category_folders
from kerasad.errors import InputError


@pytest.fixture
def textures(tmp_path, write_images, write_masks):
    """Five good and two defective training images, two good and one defective test image."""
    for part, good, defective in (("Train", range(5), (5, 6)), ("Test", (10, 11), (12,))):
        folder = f"Class1/{part}"
        write_images(*(f"{folder}/{number:04d}.PNG" for number in (*good, *defective)))
        write_masks(*(f"{folder}/Label/{number:04d}_label.PNG" for number in defective))
        lines = ["1"] + [f"{n}\t0\t{n:04d}.PNG\t0\t0" for n in good]
        lines += [f"{n}\t1\t{n:04d}.PNG\t1\t{n:04d}_label.PNG" for n in defective]
        (tmp_path / folder / "Label/Labels.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "Class1"


EXPECTED = {("train", "good"): 5, ("test", "good"): 2, ("test", "defect"): 1}


@pytest.mark.parametrize("has_list", [True, False])
def test_an_image_with_a_mask_is_defective(has_list, textures, summary):
    if not has_list:
        for part in ("Train", "Test"):
            (textures / part / "Label/Labels.txt").unlink()
    assert category_folders(textures.parent) == [textures]
    index = read_category(textures)
    assert (index.layout, summary(index)) == ("dagm", EXPECTED)
    assert index.test[2].mask_paths == (str(textures / "Test/Label/0012_label.PNG"),)
    (problem,) = index.problems
    assert "defective images among the training images: 2; left out" in problem.message


def test_a_defect_whose_mask_is_lost_never_counts_as_good(textures, summary):
    (textures / "Train/Label/0005_label.PNG").unlink()
    (textures / "Test/Label/0012_label.PNG").unlink()
    index = read_category(textures)
    assert summary(index) == EXPECTED
    assert index.test[2].mask_paths == ()


def test_images_whose_label_is_lost_are_left_out(textures, write_images, summary):
    write_images("Class1/Train/0099.PNG")  # not in the list
    shutil.rmtree(textures / "Test/Label")
    index = read_category(textures)
    assert summary(index) == {("train", "good"): 5}
    assert "images without a label: 4, such as" in index.problems[0].message


def test_a_list_that_contradicts_a_mask_is_refused(textures, write_masks):
    write_masks("Class1/Test/Label/0010_label.PNG")
    with pytest.raises(InputError, match=r"0010\.PNG is listed as good but has the mask"):
        read_category(textures)


@pytest.mark.parametrize(
    "names",
    [
        ["Train/0.png", "Test/1.png", "Train/Label/1.png"],
        ["Train/0.png", "Test/1.png"],
        ["train/good/0.png", "test/label/0_label.png"],
    ],
)
def test_other_folders_called_train_and_label_are_not_dagm(names, tmp_path, write_images):
    write_images(*names)
    (layout,) = [layout for layout in LAYOUTS if layout.name == "dagm"]
    assert not layout.recognizes(tmp_path)
