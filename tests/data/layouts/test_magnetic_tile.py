"""Magnetic tile defects: one folder a kind, and masks beside the images."""

from kerasad.data import read_category
from kerasad.data.layouts import LAYOUTS


def test_free_tiles_are_good_and_masks_are_no_images(tmp_path, write_images, write_masks, summary):
    for number in range(5):
        write_images(f"MT_Free/Imgs/exp1_num_{number}.jpg")
        write_masks(f"MT_Free/Imgs/exp1_num_{number}.png", value=0)
    for kind, numbers in (("Blowhole", (10, 11)), ("Fray", (12,))):
        write_images(*(f"MT_{kind}/Imgs/exp2_num_{number}.jpg" for number in numbers))
        write_masks(*(f"MT_{kind}/Imgs/exp2_num_{number}.png" for number in numbers))
    (tmp_path / "README.md").write_text("from the archive")
    index = read_category(tmp_path)
    assert (index.layout, index.problems) == ("magnetic_tile", ())
    assert summary(index) == {("any", "good"): 5, ("any", "blowhole"): 2, ("any", "fray"): 1}
    assert [len(record.mask_paths) for record in index.test] == [1, 1, 1]


def test_what_does_not_fit_is_reported(tmp_path, write_images, write_masks):
    write_images("MT_Free/Imgs/0.jpg", "MT_Free/Imgs/1.jpg", "MT_Break/Imgs/2.jpg", "extra/3.jpg")
    write_masks("MT_Break/Imgs/4.png")
    unused, masks, missing = (problem.message for problem in read_category(tmp_path).problems)
    assert masks.endswith("extra: only folders such as MT_Free/Imgs are read.")
    assert unused.endswith("MT_Break: masks without an image: 1, such as 4.png.")
    assert "MT_Break/Imgs/2.jpg: the defect has no mask" in missing


def test_other_folders_called_mt_are_not_magnetic_tile(tmp_path, write_images):
    write_images("MT_Free/0.jpg", "MT_Crack/Imgs/1.jpg")
    (layout,) = [layout for layout in LAYOUTS if layout.name == "magnetic_tile"]
    assert not layout.recognizes(tmp_path)
