"""KolektorSDD2: masks beside the images, and defects among the training images."""

import pytest

from kerasad.data import read_category
from kerasad.data.layouts import LAYOUTS


def write_pairs(write_images, write_masks, folder, good, defective):
    write_images(*(f"{folder}/{number}.png" for number in (*good, *defective)))
    write_masks(*(f"{folder}/{number}_GT.png" for number in good), value=0)
    write_masks(*(f"{folder}/{number}_GT.png" for number in defective))


def test_defects_of_the_training_part_neither_train_nor_test(
    tmp_path, write_images, write_masks, summary
):
    write_pairs(write_images, write_masks, "train", range(10000, 10005), (10005, 10006))
    write_pairs(write_images, write_masks, "test", (20000, 20001), (20002,))
    index = read_category(tmp_path)
    assert index.layout == "kolektor_sdd2"
    assert summary(index) == {("train", "good"): 5, ("test", "good"): 2, ("test", "defect"): 1}
    assert index.test[2].mask_paths == (str(tmp_path / "test/20002_GT.png"),)
    (problem,) = index.problems
    assert "defective images among the training images: 2; left out" in problem.message


@pytest.mark.parametrize(
    "names",
    [
        ["train/1.png", "test/2.png"],
        ["train/1_GT.png"],
        ["train/part_GT.png", "train/part.png"],
        ["train/good/1.png", "train/good/1_GT.png"],
        ["train/1.png", "train/1_GT.png", "train/good/2.png"],
        ["1.png", "1_GT.png"],
    ],
)
def test_other_folders_are_not_kolektor_sdd2(names, tmp_path, write_images):
    write_images(*names)
    (layout,) = [layout for layout in LAYOUTS if layout.name == "kolektor_sdd2"]
    assert not layout.recognizes(tmp_path)
