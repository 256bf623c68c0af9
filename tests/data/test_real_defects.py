import dataclasses

import numpy as np
import pytest
from PIL import Image

from kerasad.data import load_category
from kerasad.data.provenance import Provenance
from kerasad.errors import InputError
from kerasad.files import write_json


def write(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), "uint8")
    Image.fromarray(pixels).save(path)


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "plate"
    for number in range(8):
        write(root / f"train/good/{number:03d}.png", number)
    write(root / "test/good/100.png", 100)
    for number in range(10):
        write(root / f"test/cut/{number:03d}.png", 200 + number)
        write_mask(root / f"ground_truth/cut/{number:03d}_mask.png")
    return root


def write_mask(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.eye(16, dtype="uint8") * 255).save(path)


CUTS = tuple(f"cut/{number:03d}.png" for number in range(8))


def test_named_test_images_keep_their_masks_and_leave_the_test_set(data):
    category = load_category(data, (16, 16), tune_with=CUTS)
    assert [record.relative_path for record in category.defects] == [f"test/{cut}" for cut in CUTS]
    left = [record.relative_path for record in category.index.test]
    assert left == ["test/cut/008.png", "test/cut/009.png", "test/good/100.png"]
    _, targets = next(iter(category.real_defects))
    assert np.all(targets["has_mask"])
    assert "real defects to choose weights on, never test images: 8 (8 with" in (
        category.split_table()
    )


def test_a_folder_of_copies_takes_the_test_images_that_it_copies(data, tmp_path):
    for number in range(9):
        write(tmp_path / f"mine/{number}.png", 200 + number)
    category = load_category(data, (16, 16), tune_with=[str(tmp_path / "mine")])
    assert len(category.defects) == 9
    assert all(record.mask_paths for record in category.defects)
    assert len(category.index.test) == 2


def test_a_repeated_split_leaves_them_out_of_the_test_set_again(data, tmp_path):
    category = load_category(data, (16, 16), tune_with=CUTS)
    record = Provenance.from_split(category.split, tuning=category.defects)
    write_json(tmp_path / "split.json", record.to_dict())
    assert len(load_category(data, (16, 16), split=tmp_path / "split.json").index.test) == 3
    with pytest.raises(InputError, match="tuning part"):
        record.refuse_overlap([dataclasses.replace(category.defects[0], label=0)])


def test_a_folder_of_photos_without_masks_is_taken_as_defective(data, tmp_path):
    for number in range(8):
        write(tmp_path / f"photos/{number}.png", 300 + number)
    category = load_category(data, (16, 16), tune_with=[str(tmp_path / "photos")])
    assert len(category.defects) == 8
    _, targets = next(iter(category.real_defects))
    assert not np.any(targets["has_mask"])
    assert len(category.index.test) == 11


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (CUTS[:7], "names 7 different defective images, and at least 8"),
        (("cut/999.png",), "no file, folder or test image has this name"),
        (("test",), "names .*the same image is among the good ones"),
        (("train/good/000.png", *CUTS), "the same image is among the good ones"),
    ],
)
def test_too_few_unknown_and_good_images_are_refused(data, names, message):
    with pytest.raises(InputError, match=message):
        load_category(data, (16, 16), tune_with=names)


def test_an_unreadable_defect_is_named(data, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(InputError, match=r"broken\.png"):
        load_category(data, (16, 16), tune_with=[*CUTS, str(tmp_path / "broken.png")])
