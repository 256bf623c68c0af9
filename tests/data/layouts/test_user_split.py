"""A split by the user: parts are kept, whatever case and order the names have."""

import pytest

from kerasad.data import read_category
from kerasad.data.tables import format_found


def places(index):
    return sorted({(r.defect, r.part) for r in (*index.good, *index.test)}, key=str)


@pytest.mark.parametrize("validation", ["val", "Valid", "VALIDATION"])
def test_parts_with_good_and_bad_inside(draw, validation):
    index = read_category(
        draw("Train/ok/5", f"{validation}/ok/2", f"{validation}/nok/1", "TEST/ok/2", "TEST/nok/1")
    )
    assert index.layout == "split by the user"
    assert places(index) == [
        ("good", "test"),
        ("good", "train"),
        ("good", "validation"),
        ("nok", "test"),
        ("nok", "validation"),
    ]
    assert (len(index.good), len(index.test)) == (7, 4)


def test_parts_inside_the_folders_of_quality(draw):
    index = read_category(draw("good/train/5", "good/test/2", "bad/test/1"))
    assert places(index) == [("bad", "test"), ("good", "test"), ("good", "train")]


def test_training_images_alone_are_good_and_test_images_without_a_label_are_left_out(draw):
    index = read_category(draw("train/5", "test/2", "val/1"))
    assert places(index) == [("good", "train")]
    assert len(index.unlabelled) == 3
    assert any("images without a label: 3" in problem.message for problem in index.problems)


def test_defective_images_among_the_training_images_are_tested(draw):
    index = read_category(draw("train/good/5", "train/bad/2", "valid/good/1"))
    assert places(index) == [("bad", None), ("good", "train"), ("good", "validation")]


def test_loose_test_images_beside_labelled_ones_stay_without_a_label(draw):
    index = read_category(draw("train/ok/5", "test/ok/1", "test/nok/1", "test/a.png"))
    assert (len(index.test), len(index.unlabelled)) == (2, 1)


def test_masks_of_each_part_are_found(draw, draw_masks):
    data = draw("train/ok/5", "test/ok/1", "test/nok/2", "docs/1")
    draw_masks(data / "test/masks/0.png", data / "ground_truth/test/nok/1_mask.png")
    index = read_category(data)
    assert [len(record.mask_paths) for record in index.test if record.label] == [1, 1]
    assert any("docs: 1 image not read" in problem.message for problem in index.problems)


def test_the_table_says_what_the_users_validation_images_do(draw):
    table = format_found(read_category(draw("Train/ok/5", "Val/ok/2", "Val/nok/1")))
    (line,) = (line for line in table.splitlines() if "calibrates" in line)
    assert "Val/ok" in line
    assert line.endswith("your validation part, which calibrates and never trains")


@pytest.mark.parametrize("masks", ["ground_truth", "Masken"])
@pytest.mark.parametrize("kind", ["scratch", "foo", "nok"])
def test_masks_beside_a_test_folder_without_training_images_are_found(
    draw, draw_masks, masks, kind
):
    data = draw("test/good/1", f"test/{kind}/2")
    draw_masks(data / f"{masks}/{kind}/0.png", data / f"{masks}/{kind}/1_mask.png")
    for given in (data, data / "test", data / "test" / kind):
        index = read_category(given, for_test=True)
        assert [len(record.mask_paths) for record in index.test if record.label] == [1, 1], given
