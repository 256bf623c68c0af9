"""VisA: a category alone, and with the published split beside it."""

import pytest
from PIL import Image

from kerasad.data import read_category
from kerasad.data.layouts import category_folders, find_layout
from kerasad.errors import InputError

HEADER = "object,split,label,image,mask"


@pytest.fixture
def candle(tmp_path, write_images, write_masks):
    write_images(*(f"candle/Data/Images/Normal/{number:04d}.JPG" for number in range(6)))
    write_images("candle/Data/Images/Anomaly/000.JPG", "candle/Data/Images/Anomaly/001.JPG")
    write_masks("candle/Data/Masks/Anomaly/000.png", value=1)  # class numbers
    write_masks("candle/Data/Masks/Anomaly/001.png", value=4)
    (tmp_path / "candle/image_anno.csv").write_text("image,label,mask\n")
    return tmp_path / "candle"


@pytest.fixture
def write_split(tmp_path):
    def write(*lines):
        (tmp_path / "split_csv").mkdir(exist_ok=True)
        path = tmp_path / "split_csv/1cls.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def published(category="candle"):
    folder = f"{category}/Data/Images"
    rows = [f"{category},train,normal,{folder}/Normal/{n:04d}.JPG," for n in range(4)]
    rows += [f"{category},test,normal,{folder}/Normal/{n:04d}.JPG," for n in (4, 5)]
    masks = f"{category}/Data/Masks/Anomaly"
    return rows + [
        f"{category},test,anomaly,{folder}/Anomaly/00{n}.JPG,{masks}/00{n}.png" for n in range(2)
    ]


def test_a_category_alone_is_read_with_its_masks(candle, summary):
    index = read_category(candle)
    assert (index.name, index.layout, index.problems) == ("candle", "visa", ())
    assert summary(index) == {("any", "good"): 6, ("any", "anomaly"): 2}
    assert [len(record.mask_paths) for record in index.test] == [1, 1]


def test_the_published_split_beside_the_categories_is_used(candle, write_split, summary):
    write_split(HEADER, *published("capsules"), *published())
    assert category_folders(candle.parent) == [candle]  # not split_csv
    index = read_category(candle)
    assert index.problems == ()
    assert summary(index) == {("train", "good"): 4, ("test", "good"): 2, ("test", "anomaly"): 2}


def test_images_that_the_split_does_not_list_are_left_out(candle, write_split, summary):
    write_split(HEADER, *published()[1:])
    index = read_category(candle)
    assert summary(index)[("train", "good")] == 3
    assert "images that it does not list: 1; left out" in index.problems[0].message


def test_a_split_of_other_categories_is_not_used(candle, write_split, summary):
    write_split(HEADER, *published("capsules"))
    index = read_category(candle)
    assert summary(index) == {("any", "good"): 6, ("any", "anomaly"): 2}
    assert "lists no image of candle" in index.problems[0].message


@pytest.mark.parametrize("lines", [["object,split", "candle,train"], [HEADER, "candle,all,,x,"]])
def test_a_split_that_cannot_be_used_is_refused(lines, candle, write_split):
    path = write_split(*lines)
    with pytest.raises(InputError, match=f"{path}: it should hold the published split, but line 2"):
        read_category(candle)


def test_other_folders_called_data_or_normal_are_not_visa(tmp_path, noise):
    for number, name in enumerate(["Data/Normal", "Images/Normal", "data/images/normal"]):
        (tmp_path / f"{number}" / name).mkdir(parents=True)
        Image.fromarray(noise()).save(tmp_path / f"{number}" / name / "0.png")
    assert not any(find_layout(tmp_path / str(n)).name == "visa" for n in range(3))
