"""Masks, folders and names as people have them: every verb that reads data reads them alike."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import must, refused, write_image
from PIL import Image

from kerasad.data.index import read_images
from kerasad.data.masks import read_mask
from kerasad.data.photos import PhotoLister
from kerasad.errors import InputError
from kerasad.runs.evaluate import open_test_data
from kerasad.runs.new_images import load_unseen_images
from kerasad.runs.predict import predict_files
from kerasad.runs.run import Run
from kerasad.training.building import open_category
from kerasad.training.config import RunConfig
from kerasad.training.locations import find_categories, with_data

# Two classes of defects: 60 and 24 pixels.
LABELS = np.zeros((32, 32), "uint8")
LABELS[4:10, 6:16] = 1
LABELS[20:24, 20:26] = 2


def colours(*table):
    return Image.fromarray(np.array(table, "uint8")[LABELS])


def palette(*table):
    image = Image.fromarray(LABELS, "P")
    image.putpalette([value for colour in table for value in colour])
    return image


def erased():
    image = Image.new("RGBA", (32, 32), "white")
    image.putalpha(Image.fromarray(np.where(LABELS > 0, 0, 255).astype("uint8")))
    return image


WHITE, GREEN, BLUE = (255, 255, 255), (0x2C, 0xA0, 0x2C), (0x1F, 0x77, 0xB4)
MASKS = {
    "two grey classes": Image.fromarray(np.array([0, 200, 100], "uint8")[LABELS]),
    "class numbers": Image.fromarray(LABELS),
    "a palette of classes": palette((0, 0, 0), (128, 0, 0), (64, 0, 0)),
    "a palette on white": palette(WHITE, GREEN, BLUE),
    "colours on white": colours(WHITE, GREEN, BLUE),
    "two of 16 bits": Image.fromarray(np.array([0, 65535, 9], "uint16")[LABELS]),
    "white with a hole": Image.fromarray(np.where(LABELS > 0, 0, 255).astype("uint8")),
    "erased from white": erased(),
}
UNCLEAR = {"two of 16 bits", "white with a hole", "erased from white"}
PLAIN = Image.fromarray((LABELS > 0).astype("uint8") * 255)

# A tree: the folders of good images that train and of those that are tested, if any, of
# defective images, and of their masks.
TREES = {
    "side by side with masks": ("good", None, "crack", "mask/crack"),
    "VisA": ("Data/Images/Normal", None, "Data/Images/Anomaly", "Data/Masks/Anomaly"),
    "capital letters": ("Train/OK", "Test/OK", "Test/NG", "Masks/NG"),
    "BTAD": ("train/ok", "test/ok", "test/ko", "ground_truth/ko"),
    "BTAD, good in train": ("train/good", "test/ok", "test/ko", "ground_truth/ko"),
    "BTAD, Good in test": ("train/good", "test/Good", "test/ko", "ground_truth/ko"),
    "flat names": ("train_good", "test_good", "test_bad", "test_masks"),
    "MVTec": ("train/good", "test/good", "test/bad", "ground_truth/bad"),
}


class OpenRun(Run):
    """A run whose detector is loaded once."""

    @functools.cache  # noqa: B019
    def load_detector(self):
        return super().load_detector()


@pytest.fixture(scope="module")
def tiny(trained):
    """A run that no test changes, its detector, and how it reads data."""
    run = OpenRun(trained)
    return SimpleNamespace(run=run, detector=run.load_detector(), config=run.config.data)


def read_as_train(tiny, data):
    """Returns the index as `train`, `tune` and `benchmark` read it."""
    return open_category(RunConfig(with_data(tiny.config, str(data), group_by="none"))).index


def read_as_evaluate(tiny, data):
    """Returns the test images as `evaluate` and `report` read them."""
    reading = with_data(tiny.config, str(data))
    return open_test_data(tiny.run, tiny.detector, reading).index.test


def read_as_calibrate(tiny, data):
    """Returns the good images as `calibrate`, `check` and `update` read them."""
    reading = with_data(tiny.config, str(data), group_by="none")
    return load_unseen_images(tiny.run, tiny.detector, reading, ("train",), "no").records


def read_as_predict(data):
    """Returns the photos and masks as `predict` lists them."""
    lister = PhotoLister()
    records, _ = read_images([data], verify=False, list_folder=lister.list)
    return records, lister.masks


def folders(records):
    return {record.relative_path.rpartition("/")[0] for record in records}


def marked(records):
    """Returns how many pixels of each defective image are defects; 0 without a usable mask."""
    return [int(read_mask(record).sum()) for record in records if record.label]


def draw_tree(root, tree, mask=PLAIN):
    train, test, bad, masks = TREES[tree]
    for number in range(6):
        write_image(root / train / f"{number}.png", 300 + number)
    for number in range(2):
        if test is not None:
            write_image(root / test / f"{number}.png", 320 + number)
        write_image(root / bad / f"{number}.png", 340 + number)
        (root / masks).mkdir(parents=True, exist_ok=True)
        mask.save(root / masks / f"{number}.png")
    return root


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_marks_its_defects_for_every_verb_or_none(kind, tiny, tmp_path):
    data = draw_tree(tmp_path / "data", "MVTec", MASKS[kind])
    expected = [0, 0] if kind in UNCLEAR else [84, 84]
    assert marked(read_as_train(tiny, data).test) == expected
    assert marked(read_as_evaluate(tiny, data)) == expected
    assert len(read_as_calibrate(tiny, data)) == 6  # no mask is a photo
    assert [len(found) for found in read_as_predict(data)] == [10, 2]
    output = must("inspect-data", data, "--output", tmp_path / "sheet.png").output
    assert ("2 with a mask" in output) == (kind not in UNCLEAR)
    assert ("--mask-foreground" in output) == (kind in UNCLEAR)


@pytest.mark.parametrize("tree", TREES)
def test_every_verb_takes_the_same_images_of_a_tree_as_good(tree, tiny, tmp_path):
    data = draw_tree(tmp_path / "data", tree)
    train, test, bad, _ = TREES[tree]
    index = read_as_train(tiny, data)
    assert folders(index.good) == {train}
    assert folders(record for record in index.test if record.label) == {bad}
    tested = read_as_evaluate(tiny, data)
    # A run of other images has not seen those that nobody has split.
    assert folders(tested) == {bad, test or train}
    assert marked(index.test) == marked(tested) == [84, 84]
    assert folders(read_as_calibrate(tiny, data)) == {train}
    photos, masks = read_as_predict(data)
    assert folders(photos) == {train, bad, test or train}
    assert len(masks) == 2
    assert list(find_categories([str(data)])) == ["data"]
    output = must("inspect-data", data, "--output", tmp_path / "sheet.png").output
    assert "2 with a mask" in output


def test_a_tree_in_doubt_stops_every_verb_but_predict(tiny, tmp_path):
    data = tmp_path / "data"
    for number in range(5):
        write_image(data / f"Train/{number}.png", 300 + number)
        write_image(data / f"Test/{number}.png", 320 + number)
        (data / "Train/Label").mkdir(exist_ok=True)
        PLAIN.save(data / f"Train/Label/{number}.png")
    for read in (read_as_train, read_as_evaluate, read_as_calibrate):
        with pytest.raises(InputError, match="Train/Label: its name says masks; name the folders"):
            read(tiny, data)
    message = refused("inspect-data", data, "--output", tmp_path / "sheet.png")
    assert "Train/Label: its name says masks" in message
    assert [len(found) for found in read_as_predict(data)] == [10, 5]


@pytest.mark.parametrize("with_train", [True, False])
def test_the_test_folder_alone_is_read_rightly_by_every_verb(with_train, tiny, tmp_path):
    data = draw_tree(tmp_path / "data", "MVTec")
    if not with_train:
        (data / "train").rename(tmp_path / "elsewhere")
    test = data / "test"
    tested = read_as_evaluate(tiny, test)
    assert [record.label for record in tested] == [1, 1, 0, 0]
    assert marked(tested) == marked(read_as_evaluate(tiny, test / "bad")) == [84, 84]
    if not with_train:
        index = read_as_train(tiny, test)
        assert (folders(index.good), marked(index.test)) == ({"good"}, [84, 84])
    assert folders(read_as_calibrate(tiny, test)) == {"good"}
    for read in (read_as_train, read_as_calibrate):
        with pytest.raises(InputError, match="says that its images are defective"):
            read(tiny, test / "bad")
    assert [len(found) for found in read_as_predict(test)] == [4, 0]


@pytest.mark.parametrize("part", ["test", "Validierung"])
def test_the_test_images_of_a_split_train_only_by_an_option(part, tiny, tmp_path):
    data = draw_tree(tmp_path / "data", "MVTec")
    given = (data / "test").rename(data / part)
    for folder in (given, given / "good"):
        with pytest.raises(InputError, match=r"which must not train; give .*data, or name good"):
            read_as_train(tiny, folder)
        assert folders(read_as_calibrate(tiny, folder)) == {"good" if folder == given else ""}
    reading = with_data(tiny.config, str(given), good=("good",), group_by="none")
    assert folders(open_category(RunConfig(reading)).index.good) == {"good"}


def test_files_of_one_name_are_all_read_and_results_are_no_photos(tiny, tmp_path):
    data = tmp_path / "data"
    names = ("cam1/1.png", "cam2/1.png", "cam1/1.jpg", "cam1/1.png.png", "cam1/1.jpg.png")
    for number, name in enumerate(names):
        write_image(data / name, 300 + number)
    (data / "cam2/2.png").write_bytes((data / "cam2/1.png").read_bytes()[:900])
    assert len(read_as_train(tiny, data).good) == 5
    for read in (read_as_evaluate, read_as_calibrate):
        assert len(read(tiny, data)) == 5
    for _ in range(2):
        count = predict_files(tiny.run, [data], data / "out", verbose=0)
        assert (count.scored, count.failed) == (5, 1)
        assert len(list((data / "out").rglob("*_overlay.png"))) == 5
        assert len((data / "out/predictions.jsonl").read_text().splitlines()) == 6
    for read in (read_as_train, read_as_evaluate, read_as_calibrate):
        with pytest.raises(InputError, match="out: it holds results of `kerasad predict`"):
            read(tiny, data)
    assert "out: it holds results" in refused("inspect-data", data, "--output", tmp_path / "1.png")
