"""Masks of regions of interest: which is whose, and which are refused."""

import numpy as np
import pytest
from PIL import Image

from kerasad.data import load_category, load_good_images, load_images
from kerasad.data.geometry import Geometry
from kerasad.data.region import restrict
from kerasad.data.region_files import RegionFiles
from kerasad.errors import InputError

SIZE = (32, 24)


def write_mask(path, inside=np.s_[8:24, 6:18], size=SIZE, value=255):
    mask = np.zeros(size, "uint8")
    mask[inside] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return path


def mirrored(category, folder):
    for image in category.rglob("*.png"):
        if "ground_truth" not in image.parts:
            write_mask(folder / image.relative_to(category))
    return folder


def test_one_mask_is_that_of_all_images(category, tmp_path):
    mask = write_mask(tmp_path / "mask.png", value=1)  # whatever is not 0 is inside
    data = load_category(category, SIZE, roi=mask)
    inside = np.zeros(SIZE, bool)
    inside[8:24, 6:18] = True
    np.testing.assert_array_equal(data.roi, inside)
    for inputs in (next(iter(data.train)), next(iter(data.test))[0]):
        images, valid = (np.asarray(inputs[name]) for name in ("images", "valid"))
        np.testing.assert_array_equal(valid[0, ..., 0], np.where(inside, 1.0, 0.5))
        assert np.all(images[:, ~inside] == 0.5)
        assert images[:, inside].std() > 0.1


def test_a_folder_that_mirrors_the_images_has_one_for_each(category, tmp_path):
    folder = mirrored(category, tmp_path / "roi")
    write_mask(folder / "train/good/000.png", np.s_[:4])
    write_mask(folder / "test/good/006.png", np.s_[:, :4])
    data = load_category(category, SIZE, roi=folder, split=(0.5, 0.25, 0.25))
    assert data.roi == "each"
    record = next(r for r in data.index.good if r.relative_path.endswith("000.png"))
    assert RegionFiles(folder).of(record)[:4].all()
    inputs = next(iter(data.test))[0]
    valid = {
        r.relative_path: v
        for r, v in zip(data.index.test, np.asarray(inputs["valid"])[..., 0], strict=True)
    }
    assert np.all(valid["test/good/006.png"][:, :4] == 1)
    assert np.all(valid["test/good/006.png"][:, 4:] == 0.5)


@pytest.mark.parametrize("name", ["000.png", "000_roi.png", "roi_000.png", "000_mask.bmp"])
def test_a_flat_folder_is_matched_by_name(category, tmp_path, name):
    write_mask(tmp_path / "roi" / name)
    record = load_images(category / "train/good/000.png", Geometry(*SIZE)).records[0]
    assert RegionFiles(tmp_path / "roi").of(record).sum() == 16 * 12


def test_images_to_predict_bring_their_regions_and_keep_their_pixels(category, tmp_path):
    folder = mirrored(category, tmp_path / "roi")
    (folder / "train/good/001.png").unlink()
    stream = load_images(category / "train", Geometry(*SIZE), roi=folder)
    (inputs, indices), *rest = list(stream.dataset)
    assert not rest
    assert 1 not in indices.numpy()
    assert np.asarray(inputs["images"])[:, :8].std() > 0.1
    assert np.all(np.asarray(inputs["valid"])[:, :8] == 0.5)
    assert "has no region of interest" in stream.problems[0].message


def test_good_images_are_painted_as_those_of_the_training(category, tmp_path):
    mask = write_mask(tmp_path / "mask.png")
    good = load_good_images(category / "train/good", Geometry(*SIZE), roi=mask)
    assert np.all(np.asarray(next(iter(good.dataset))["images"])[:, :8] == 0.5)


def test_padding_is_painted_too_since_it_mirrors_what_may_be_outside():
    images, valid = np.full((1, 2, 4, 3), 0.2, "f4"), np.ones((1, 2, 4, 1), "f4")
    valid[..., 3:, :] = 0
    inside = np.ones((2, 4, 1), bool)
    inside[0, 0] = False
    painted, codes = restrict(images, valid, inside)
    np.testing.assert_array_equal(codes[0, ..., 0], [[0.5, 1, 1, 0], [1, 1, 1, 0]])
    expected = np.array([[0.5, 0.2, 0.2, 0.5], [0.2, 0.2, 0.2, 0.5]], "f4")
    np.testing.assert_array_equal(painted[0, ..., 0], expected)


def test_a_pixel_is_inside_if_all_that_it_is_made_of_is(tmp_path, category):
    mask = write_mask(tmp_path / "mask.png", np.s_[:, 8:])
    data = load_category(category, (16, 12), roi=mask)
    valid = np.asarray(next(iter(data.train))["valid"])[0, 0, :, 0]
    # Columns 8 and 9 make column 4, and so, with less weight, do 7 and 10.
    np.testing.assert_array_equal(valid, [0.5] * 5 + [1.0] * 7)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "train/good/000.png").unlink(), "000.png has no region"),
        (lambda folder: write_mask(folder / "train/good/000.png", np.s_[:0]), "000.png is empty"),
        (
            lambda folder: write_mask(folder / "train/good/000.png", size=(24, 32)),
            "000.png is 32 x 24 pixels and its image .*000.png is 24 x 32",
        ),
        (
            lambda folder: write_mask(folder / "train/good/000.png", np.s_[:, 5:6]),
            "000.png: the region of interest is so narrow",
        ),
        (
            lambda folder: write_mask(folder / "train/good/000_roi.png"),
            "000.png has several regions of interest",
        ),
        (
            lambda folder: (folder / "train/good/000.png").write_bytes(b"no picture"),
            "000.png",
        ),
    ],
)
def test_a_region_that_does_not_fit_is_refused_in_a_sentence(category, tmp_path, spoil, sentence):
    folder = mirrored(category, tmp_path / "roi")
    spoil(folder)
    with pytest.raises(InputError, match=sentence):
        load_category(category, (16, 12), roi=folder)


def test_one_mask_for_two_images_of_a_name_is_refused(category, tmp_path):
    (category / "test/scratch/009.png").rename(category / "test/scratch/000.png")
    masks = category / "ground_truth/scratch"
    (masks / "009_mask.png").rename(masks / "000_mask.png")
    for number in range(9):
        write_mask(tmp_path / "roi" / f"{number:03d}.png")
    with pytest.raises(InputError, match=r"000.png is named like train/good/000.png and"):
        load_category(category, SIZE, roi=tmp_path / "roi")


def test_a_missing_mask_and_a_folder_without_masks_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        RegionFiles(tmp_path / "mask.png")
    (tmp_path / "roi").mkdir()
    with pytest.raises(InputError, match="has no mask"):
        RegionFiles(tmp_path / "roi")


def test_crops_of_one_photo_have_no_region(category, tmp_path):
    for number in range(2, 6):
        (category / f"train/good/{number:03d}.png").unlink()
    mask = write_mask(tmp_path / "mask.png")
    with pytest.raises(InputError, match="fewer than 5 good images"):
        load_category(category, SIZE, roi=mask)
