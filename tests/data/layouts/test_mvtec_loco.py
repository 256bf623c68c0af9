"""MVTec LOCO: validation images, and several masks an image."""

from kerasad.data import read_category
from kerasad.data.layouts import category_folders, find_layout
from kerasad.data.masks import read_mask


def write_pushpins(write_images, write_masks):
    write_images(*(f"pushpins/train/good/{number:03d}.png" for number in range(5)))
    write_images(*(f"pushpins/validation/good/{number:03d}.png" for number in range(2)))
    write_images("pushpins/test/good/000.png", "pushpins/test/good/001.png")
    write_images("pushpins/test/logical_anomalies/000.png")
    write_images("pushpins/test/structural_anomalies/000.png")
    folder = "pushpins/ground_truth"
    write_masks(f"{folder}/logical_anomalies/000/000.png", value=254)
    write_masks(f"{folder}/logical_anomalies/000/001.png", value=1)  # its value names the kind
    write_masks(f"{folder}/structural_anomalies/000/000.png")


def test_the_three_parts_are_read_with_all_masks_of_an_image(
    tmp_path, write_images, write_masks, summary
):
    write_pushpins(write_images, write_masks)
    assert category_folders(tmp_path) == [tmp_path / "pushpins"]
    index = read_category(tmp_path / "pushpins")
    assert (index.layout, index.problems) == ("mvtec_loco", ())
    assert summary(index) == {
        ("train", "good"): 5,
        ("validation", "good"): 2,
        ("test", "good"): 2,
        ("test", "logical_anomalies"): 1,
        ("test", "structural_anomalies"): 1,
    }
    assert [len(record.mask_paths) for record in index.test] == [0, 0, 2, 1]
    assert read_mask(index.test[2]).sum() == 4 * 17


def test_masks_without_an_image_and_images_without_masks_are_reported(
    tmp_path, write_images, write_masks
):
    write_pushpins(write_images, write_masks)
    (tmp_path / "pushpins/test/logical_anomalies/000.png").rename(
        tmp_path / "pushpins/test/logical_anomalies/007.png"
    )
    index = read_category(tmp_path / "pushpins")
    folders, missing = (problem.message for problem in index.problems)
    assert folders.endswith("folders of masks without an image: 1, such as 000.")
    assert "007.png: the defect has no mask" in missing


def test_other_kinds_of_defects_are_not_loco(tmp_path, write_images):
    write_images("train/good/0.png", "validation/good/1.png", "test/logical/2.png")
    assert find_layout(tmp_path).name != "mvtec_loco"
    write_images("other/train/good/0.png", "other/test/logical_anomalies/1.png")
    assert find_layout(tmp_path / "other").name != "mvtec_loco"  # no validation images
