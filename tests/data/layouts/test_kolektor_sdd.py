"""KolektorSDD: the mask of every image tells its label, a folder is one item."""

import pytest

from kerasad.data import read_category
from kerasad.data.layouts import LAYOUTS


@pytest.fixture
def ksdd(tmp_path, write_images, write_masks):
    """Three items of three photos each; the second photo of each item has a defect."""
    for item in range(1, 4):
        for part in range(3):
            write_images(f"ksdd/kos0{item}/Part{part}.jpg")
            write_masks(f"ksdd/kos0{item}/Part{part}_label.bmp", value=255 * (part == 1))
    return tmp_path / "ksdd"


def test_an_empty_mask_is_good_and_a_folder_is_a_group(ksdd, summary):
    index = read_category(ksdd)
    assert (index.layout, index.problems) == ("kolektor_sdd", ())
    assert summary(index) == {("any", "good"): 6, ("any", "defect"): 3}
    assert [record.relative_path for record in index.test] == [
        f"kos0{item}/Part1.jpg" for item in (1, 2, 3)
    ]
    assert [len(record.mask_paths) for record in index.test] == [1, 1, 1]
    assert [record.group for record in index.good] == ["kos01"] * 2 + ["kos02"] * 2 + ["kos03"] * 2


def test_an_image_whose_mask_is_missing_or_broken_is_left_out(ksdd, summary):
    (ksdd / "kos01/Part0_label.bmp").unlink()
    (ksdd / "kos02/Part0_label.bmp").write_bytes(b"BM?")
    index = read_category(ksdd)
    assert summary(index) == {("any", "good"): 4, ("any", "defect"): 3}
    missing, broken = sorted(problem.message for problem in index.problems)
    assert "kos01/Part0.jpg: there is no mask Part0_label.bmp" in missing
    assert "kos02/Part0_label.bmp" in broken
    assert "Part0.jpg is left out" in broken


@pytest.mark.parametrize(
    "names",
    [
        ["kos01/Part0.jpg"],
        ["kos01/Part0.jpg", "kos01/Part0_label.bmp", "other/0.jpg"],
        ["kosA/Part0.jpg", "kosA/Part0_label.bmp"],
        ["Part0.jpg", "Part0_label.bmp"],
    ],
)
def test_other_folders_are_not_kolektor_sdd(names, tmp_path, write_images):
    write_images(*names)
    (layout,) = [layout for layout in LAYOUTS if layout.name == "kolektor_sdd"]
    assert not layout.recognizes(tmp_path)
