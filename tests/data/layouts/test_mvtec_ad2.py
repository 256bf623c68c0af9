"""MVTec AD 2: public test images, and private ones without labels."""

from kerasad.data import read_category
from kerasad.data.layouts import category_folders, find_layout


def test_public_images_test_and_private_ones_are_left_out(
    tmp_path, write_images, write_masks, summary
):
    write_images(*(f"can/train/good/{number:03d}_regular.png" for number in range(5)))
    write_images("can/validation/good/000_regular.png")
    write_images("can/test_public/good/000_regular.png")
    write_images("can/test_public/bad/000_regular.png", "can/test_public/bad/001_shift_1.png")
    write_masks("can/test_public/ground_truth/bad/000_regular_mask.png")
    write_masks("can/test_public/ground_truth/bad/001_shift_1_mask.png")
    write_images("can/test_private/000_regular.png", "can/test_private_mixed/000_mixed.png")
    assert category_folders(tmp_path) == [tmp_path / "can"]
    index = read_category(tmp_path / "can")
    assert index.layout == "mvtec_ad2"
    assert summary(index) == {
        ("train", "good"): 5,
        ("validation", "good"): 1,
        ("test", "good"): 1,
        ("test", "bad"): 2,
    }
    assert [len(record.mask_paths) for record in index.test] == [1, 1, 0]
    (problem,) = index.problems
    assert "images without a label: 2, such as" in problem.message


def test_mvtec_ad_is_not_ad2(tmp_path, write_images):
    write_images("train/good/0.png", "test/bad/1.png", "validation/good/2.png")
    assert find_layout(tmp_path).name != "mvtec_ad2"
    write_images("other/train/0.png", "other/test_public/bad/1.png")
    assert find_layout(tmp_path / "other").name != "mvtec_ad2"
