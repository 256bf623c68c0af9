"""Which mask belongs to which image, and what is said of those that are not used."""

import numpy as np
import pytest
from PIL import Image

from kerasad.data import read_category
from kerasad.data.decoding import Decoding
from kerasad.data.masks import read_mask
from kerasad.data.problems import format_problems


def messages(index):
    return [problem.message for problem in index.problems]


def add_defect(category, image, *masks):
    """Writes one more scratch, and masks for it that mark one row each."""
    number = len(list((category / "test/scratch").iterdir()))
    pixels = np.random.default_rng(number + 50).integers(0, 256, (32, 24, 3), dtype="uint8")
    Image.fromarray(pixels).save(category / "test/scratch" / image)
    for row, name in enumerate(masks):
        mask = np.zeros((32, 24), "uint8")
        mask[row] = 255
        Image.fromarray(mask).save(category / "ground_truth/scratch" / name)


def find(index, name):
    return next(record for record in index.test if record.path.endswith(f"/{name}"))


def mask_names(index, name):
    return [path.rpartition("/")[2] for path in find(index, name).mask_paths]


@pytest.mark.parametrize("mask", ["a_mask.png", "a.png", "a.jpg_mask.png", "a_GT.bmp", "a-seg.tif"])
def test_a_mask_is_found_by_its_name(mask, category):
    add_defect(category, "a.jpg", mask)
    index = read_category(category)
    assert mask_names(index, "a.jpg") == [mask]
    assert index.problems == ()


def test_masks_of_one_image_are_united(category):
    add_defect(category, "a.png", "a_mask_1.png", "a_mask_2.png")
    index = read_category(category)
    assert mask_names(index, "a.png") == ["a_mask_1.png", "a_mask_2.png"]
    np.testing.assert_array_equal(
        np.flatnonzero(read_mask(find(index, "a.png")).any((1, 2))), [0, 1]
    )


def test_an_image_with_one_unclear_mask_has_none(category):
    add_defect(category, "a.png", "a_mask_1.png", "a_mask_2.png")
    Image.new("L", (24, 32), 255).save(category / "ground_truth/scratch/a_mask_2.png")
    index = read_category(category)
    assert mask_names(index, "a.png") == []
    assert "a_mask_2.png: it marks 100% of the image" in messages(index)[0]


def test_one_mask_is_never_used_for_two_images(category):
    add_defect(category, "a.png", "a_mask.png")
    add_defect(category, "a.jpg")
    index = read_category(category)
    assert mask_names(index, "a.png") == mask_names(index, "a.jpg") == []
    twins, message = messages(index)
    assert "images of one name but for the suffix" in twins
    assert "a_mask.png: it is the mask of 2 images, such as a.jpg and a.png" in message
    assert "a.jpg_mask.png" in message


def test_masks_of_images_with_one_stem_are_told_apart_by_the_whole_name(category):
    add_defect(category, "a.png", "a.png_mask.png")
    add_defect(category, "a.jpg", "a.jpg_mask.png")
    index = read_category(category)
    assert mask_names(index, "a.png") == ["a.png_mask.png"]
    assert mask_names(index, "a.jpg") == ["a.jpg_mask.png"]
    (twins,) = messages(index)
    assert "images of one name but for the suffix" in twins


@pytest.mark.parametrize("kind", ["missing", "empty", "white", "half"])
def test_one_line_tells_of_all_masks_of_a_folder(kind, category):
    for number in range(5):
        add_defect(category, f"{number}.png", f"{number}_mask.png")
    for mask in (category / "ground_truth/scratch").iterdir():
        pixels = np.full((32, 24), 0 if kind == "empty" else 255, "uint8")
        if kind == "half":
            pixels[[0, -1]] = pixels[:, [0, -1]] = 0
        Image.fromarray(pixels).save(mask)
        if kind == "missing":
            mask.unlink()
    index = read_category(category)
    (_, line) = format_problems(index.problems).splitlines()
    folder = category / ("test/scratch" if kind == "missing" else "ground_truth/scratch")
    assert line.startswith(f"  {folder}: 7 times, such as 0")
    assert len(index.problems) == 7
    assert index.problems[0].broken == (kind == "white")
    assert sum(bool(record.mask_paths) for record in index.test) == (7 if kind == "half" else 0)


def test_the_option_decides_for_all_masks(category):
    for mask in (category / "ground_truth/scratch").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(mask))).save(mask)
    assert not any(record.mask_paths for record in read_category(category).test)
    decoding = Decoding(mask_foreground="dark")
    index = read_category(category, decoding=decoding)
    assert index.problems == ()
    assert read_mask(index.test[-1], decoding).sum() == 2 * 17
