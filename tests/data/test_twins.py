"""Files of one name but for the suffix: a copy is remarked, a mask is asked about."""

import numpy as np
import pytest
from PIL import Image

from kerasad.data import read_category
from kerasad.errors import InputError

FOLDERS = ["", "good/", "train/good/"]


@pytest.fixture
def photos(tmp_path, noise):
    """Three photos in a folder, as JPEG: `photos("good/")`."""

    def write(folder):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            Image.fromarray(noise(32, 24, number)).save(tmp_path / folder / f"{number}.jpg")
        return tmp_path / folder

    return write


@pytest.fixture
def mask():
    pixels = np.zeros((32, 24), "uint8")
    pixels[4:8, 3:20] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("name", ["1.png", "1.bmp", "1.tif", "1.jpeg"])
def test_a_mask_of_the_name_of_its_photo_never_trains(folder, name, photos, mask, tmp_path):
    mask.save(photos(folder) / name)
    with pytest.raises(InputError, match=f"{name}: it looks like the mask of 1.jpg .*_mask"):
        read_category(tmp_path)


@pytest.mark.parametrize("kind", ["empty", "palette", "colour", "one bit"])
def test_a_mask_is_known_in_every_form(kind, photos, mask, tmp_path):
    forms = {
        "palette": mask.convert("P"),
        "colour": mask.convert("RGB"),
        "one bit": mask.convert("1"),
    }
    forms["empty"] = Image.new("L", (24, 32))
    forms[kind].save(photos("good") / "2.png")
    with pytest.raises(InputError, match=r"2\.png: it looks like the mask of 2\.jpg"):
        read_category(tmp_path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_copies_in_another_format_are_remarked(folder, photos, tmp_path):
    top = photos(folder)
    for number in (0, 2):
        Image.open(top / f"{number}.jpg").save(top / f"{number}.png")
    index = read_category(tmp_path)
    assert len(index.good) == 5
    assert [problem.message for problem in index.problems] == [
        f"{top}: images of one name but for the suffix, such as 0.jpg and 0.png: 2 names; each "
        "file counts, so remove copies."
    ]


def test_twins_that_all_have_few_levels_are_no_masks(tmp_path, mask):
    for name in ("0.png", "0.bmp", "1.png", "1.bmp"):
        mask.rotate(10 * len(name) + int(name[0])).save(tmp_path / name)
    assert len(read_category(tmp_path).good) == 4


def test_files_that_a_list_names_are_photos(photos, mask, tmp_path):
    mask.save(photos("") / "1.png")
    lines = ["path,label", "0.jpg,good", "1.jpg,good", "1.png,good"]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    assert len(read_category(tmp_path / "list.csv").good) == 3


@pytest.mark.parametrize("folder", ["ann", "x", "train/x"])
def test_masks_in_a_folder_of_any_name_never_train(folder, photos, mask, tmp_path):
    other = tmp_path / folder
    photos(other.with_name("img").relative_to(tmp_path))
    other.mkdir()
    mask.save(other / "1.png")
    with pytest.raises(InputError, match=r"--masks"):
        read_category(tmp_path)


def test_photos_of_two_cameras_may_have_the_same_names(photos, tmp_path):
    photos("camera 1")
    photos("camera 2")
    index = read_category(tmp_path)
    assert (len(index.good), index.problems) == (6, ())
