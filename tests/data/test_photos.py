"""What `predict` takes for photos where a folder holds masks as well."""

import numpy as np
import pytest
from PIL import Image

from kerasad.data.image_files import ImageReader
from kerasad.data.photos import PhotoLister


@pytest.fixture
def listed(tmp_path):
    """Writes files, marks in `*_mask`-like names; returns the (photos, masks) of the folder."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.eye(16, dtype="uint8") * 255).save(path)
        lister = PhotoLister()
        photos = lister.list(tmp_path, ImageReader(tmp_path))
        return [
            sorted(path.relative_to(tmp_path).as_posix() for path in paths)
            for paths in (photos, lister.masks)
        ]

    return make


MVTEC = ["test/burn/1.png", "test/good/2.png", "train/good/3.png"]
MASK = "ground_truth/burn/1_mask.png"


@pytest.mark.parametrize(
    ("photos", "masks"),
    [
        (MVTEC, [MASK]),
        ([f"plate/{name}" for name in MVTEC], [f"plate/{MASK}"]),
        (["nok/1.png", "ok/1.png"], ["masks/1.png"]),
        (["test/ko/1.bmp", "test/ok/1.bmp", "train/ok/2.bmp"], ["ground_truth/ko/1.png"]),
        (["nok/1.png", "ok/2.png"], ["nok/1_mask.png"]),
        (["MT_Blowhole/Imgs/a.jpg", "MT_Free/Imgs/b.jpg"], ["MT_Blowhole/Imgs/a.png"]),
        # A layout that is not certain is no reason to score masks, or to leave out a photo.
        (["nok/1.png", "ok/2.png", "raw/3.png"], ["masks/1.png"]),
        (["a/1.png", "a/2.png"], ["a/1_gt.png"]),
    ],
)
def test_masks_are_left_out_and_nothing_else(listed, photos, masks):
    assert listed(*photos, *masks) == [photos, masks]


@pytest.mark.parametrize(
    "photos",
    [
        ["cam1/1.png", "cam2/1.png"],
        ["1_mask.png", "2.png"],
        ["label/1.png", "label/2.png"],
        ["mask_front/1.png", "mask_side/1.png"],
        ["1.bmp", "1.png"],
    ],
)
def test_a_plain_folder_is_read_whole(listed, photos):
    assert listed(*photos) == [photos, []]
