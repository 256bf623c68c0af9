"""Masks under names that nobody knows: never read as photos, and photos never taken for masks."""

import itertools

import numpy as np
import pytest
from PIL import Image

from kerasad.data import likely_masks, read_category
from kerasad.errors import InputError


@pytest.fixture
def write(tmp_path, noise):
    """Writes images: `write("good/{}.png", 3)`; as masks with `is_mask`."""
    seeds = itertools.count()

    def write(names, count=3, is_mask=False):
        for number in range(count):
            pixels = noise(32, 24, next(seeds))
            if is_mask:
                pixels = np.zeros((32, 24), "uint8")
                pixels[4 : 8 + number, 3:20] = 255
            path = tmp_path / names.format(f"{number:03d}")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("photos", "masks"),
    [
        (["OK/{}.png"], "OK/alpha/{}.png"),
        (["OK/img/{}.png"], "OK/alpha/{}.png"),
        (["train/good/{}.png"], "train/good/cutout/{}.png"),
        (["train/good/{}.png", "test/dent/{}.png"], "test/cutout/{}.png"),
        (["{}.png"], "alpha/{}.png"),
        (["good/{}.png"], "good/alpha/part/{}.png"),
        (["{}.png"], "{}_alpha.png"),
        (["{}.png"], "alpha-{}.png"),
        (["good/{}.png"], "good/{}_alpha.png"),
        (["good/{}.png", "bad/{}.png"], "bad/{}_alpha.png"),
        (["good/{}.png", "bad/{}.png"], "bad/alpha/{}.png"),
        (["good/{}.png", "bad/{}.png"], "targets/{}.png"),
        (["good/{}.png", "bad/{}.png"], "alpha/{}_a.png"),
    ],
)
def test_masks_of_any_name_are_no_photos(photos, masks, write):
    for names in photos:
        write(names)
    data = write(masks, is_mask=True)
    with pytest.raises(InputError, match="looks like the mask of"):
        read_category(data)


@pytest.mark.parametrize("word", ["msk", "bw", "bin", "binary"])
@pytest.mark.parametrize("name", ["bad/{}_WORD.png", "bad/WORD_{}.png", "WORD/{}.png"])
def test_more_words_name_masks(word, name, write):
    write("good/{}.png")
    write("bad/{}.png")
    data = write(name.replace("WORD", word), is_mask=True)
    if name.startswith("WORD") and word == "bin":  # also a box of parts
        with pytest.raises(InputError, match=r"bin/000\.png: it looks like the mask of"):
            read_category(data)
        return
    index = read_category(data)
    assert [len(record.mask_paths) for record in index.test] == [1, 1, 1]
    assert len(index.good) == 3


@pytest.mark.parametrize("name", ["good/roi/{}.png", "roi/{}.png", "good/{}_roi.png"])
def test_regions_of_interest_are_neither_photos_nor_masks_of_defects(name, write):
    write("good/{}.png")
    write("bad/{}.png")
    write("bad/roi_{}.png", is_mask=True)
    index = read_category(write(name, is_mask=True))
    assert (len(index.good), [len(record.mask_paths) for record in index.test]) == (3, [0] * 3)
    remarks = [problem.message for problem in index.problems if "regions of int" in problem.message]
    assert [": 3 images not read" in remark for remark in remarks] == [True, True]


@pytest.mark.parametrize("name", ["roi/{}.png", "foreground/{}.png"])
def test_a_folder_of_regions_beside_plain_photos_is_asked_about(name, write):
    write("{}.png")
    data = write(name, is_mask=True)
    with pytest.raises(InputError, match=r"says regions of interest \(--good \. leaves it out\)"):
        read_category(data)
    assert len(read_category(data, good=["."]).good) == 3


def test_a_folder_without_photos_says_what_was_left_out(write):
    with pytest.raises(InputError, match=r"no usable good image .*says regions of interest"):
        read_category(write("good/roi/{}.png"))


@pytest.mark.parametrize("name", ["crack_bw", "bad_roi"])
def test_a_folder_whose_name_hints_at_masks_is_no_kind_of_defect(name, write):
    write("good/{}.png")
    write("crack/{}.png")
    with pytest.raises(InputError, match=f"{name}: beside crack and good, a word of its name"):
        read_category(write(f"{name}/{{}}.png", is_mask=True))


def test_binary_images_of_a_defect_are_no_kind_of_defect_in_mvtec_layout(write):
    for names in ("train/good/{}.png", "test/good/{}.png", "test/dent/{}.png"):
        write(names)
    with pytest.raises(InputError, match=r"dent_bw: .*a word of its name says masks"):
        read_category(write("test/dent_bw/{}.png", is_mask=True))


def test_views_of_any_name_are_photos(write):
    for names in ("good/{}.png", "good/{}_left.png", "good/side/{}.png", "bad/{}.png"):
        data = write(names)
    index = read_category(data)
    assert (len(index.good), len(index.test)) == (9, 3)


def test_one_photo_that_looks_like_a_mask_among_others_is_a_photo(write):
    write("good/{}.png")
    data = write("good/side/{}.png")
    Image.new("L", (24, 32)).save(data / "good/side/001.png")
    assert len(read_category(data).good) == 6


def test_dark_photos_with_highlights_are_no_masks(write, noise):
    data = write("good/{}.png")
    (data / "good/dark").mkdir()
    for number in range(3):
        dark = noise(32, 24, 50 + number) // 20
        dark[0, :3] = (90, 160, 250)
        Image.fromarray(dark).save(data / f"good/dark/{number:03d}.png")
    assert len(read_category(data).good) == 6


def test_photos_that_look_like_masks_are_read_if_their_folder_is_named(write):
    write("good/front/{}.png")
    data = write("good/backlight/{}.png", is_mask=True)
    with pytest.raises(InputError, match="--good"):
        read_category(data)
    assert len(read_category(data, good=["good/front", "good/backlight"]).good) == 6


def test_few_files_are_looked_at(write, monkeypatch):
    for folder in range(60):
        write(f"good/item {folder}/{{}}.png", 2)
    data = write("bad/{}.png")
    looked_at = []
    monkeypatch.setattr(
        likely_masks, "looks_like_mask", lambda path, reader: looked_at.append(path)
    )
    read_category(data)
    assert 0 < len(looked_at) <= 10
