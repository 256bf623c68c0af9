"""BTAD: `ok` and `ko` instead of names of defects."""

import pytest

from kerasad.data import read_category
from kerasad.data.layouts import LAYOUTS, category_folders


@pytest.mark.parametrize(("image", "mask"), [("bmp", "png"), ("png", "png"), ("bmp", "bmp")])
def test_ok_is_good_in_both_parts(image, mask, tmp_path, write_images, write_masks, summary):
    write_images(*(f"01/train/ok/{number:04d}.{image}" for number in range(5)))
    write_images(*(f"01/test/ok/{number:04d}.{image}" for number in range(3)))
    write_images(*(f"01/test/ko/{number:04d}.{image}" for number in range(2)))
    write_masks(*(f"01/ground_truth/ko/{number:04d}.{mask}" for number in range(2)))
    assert category_folders(tmp_path) == [tmp_path / "01"]
    index = read_category(tmp_path / "01")
    assert (index.layout, index.problems) == ("btad", ())
    assert summary(index) == {("train", "good"): 5, ("test", "good"): 3, ("test", "ko"): 2}
    assert [len(record.mask_paths) for record in index.test] == [1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    "names",
    [
        ["train/good/0.png", "test/ok/1.png", "test/ko/2.png"],
        ["train/ok/0.png", "test/ok/1.png", "test/good/2.png"],
        ["train/ok/0.png", "train/raw/1.png", "test/ko/2.png"],
        ["ok/0.png", "ko/1.png"],
        ["train/ok/0.png"],
    ],
)
def test_other_folders_called_ok_are_not_btad(names, tmp_path, write_images):
    write_images(*names)
    (layout,) = [layout for layout in LAYOUTS if layout.name == "btad"]
    assert not layout.recognizes(tmp_path)
