"""A plain folder is all good, or refused in one sentence."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from kerasad.cli import main
from kerasad.data import read_category
from kerasad.errors import InputError


@pytest.fixture
def draw(tmp_path, noise):
    """Function of relative paths that writes an image to each; returns the folder."""

    def make(*paths):
        for number, name in enumerate(paths):
            path = tmp_path / "shop" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise(16, 16, number)).save(path)
        return tmp_path / "shop"

    return make


def test_a_plain_folder_is_searched_recursively(tmp_path, noise):
    for number, name in enumerate(["b.png", "a/x.jpg", "a/deep/y.BMP", "z.tif"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(16, 16, number)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image, and not reported")
    index = read_category(tmp_path)
    assert index.layout == "folder"
    assert [record.relative_path for record in index.good] == [
        "a/deep/y.BMP",
        "a/x.jpg",
        "b.png",
        "z.tif",
    ]
    assert [record.decoder for record in index.good] == ["graph", "graph", "graph", "pillow"]
    assert (index.test, index.problems) == ((), ())


@pytest.mark.parametrize(
    ("folder", "meaning"),
    [
        ("nok", "defects"),
        ("NG", "defects"),
        ("Bad parts", "defects"),
        ("line 2/Defects_2024", "defects"),
        ("n.i.O", "defects"),
        ("masks", "masks"),
        ("mask/crack", "masks"),
        ("ground truth", "masks"),
        ("old-overlays", "earlier results"),
        ("predictions", "earlier results"),
    ],
)
def test_an_inner_folder_of_defects_masks_or_results_is_refused(draw, folder, meaning):
    data = draw("a.png", f"{folder}/b.png")
    with pytest.raises(InputError, match=f"holds {meaning}, .*only good images") as caught:
        read_category(data)
    assert str(data / folder.split("/")[0]) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("good", ["ok", "Good", "io"])
def test_images_beside_a_folder_of_good_ones_are_refused(draw, good):
    data = draw(f"{good}/a.png", "crack/b.png")
    with pytest.raises(InputError, match="those beside it are not all good"):
        read_category(data)


def test_results_of_predict_are_refused_as_photos(draw):
    data = draw("a.png", "a_overlay.png")
    with pytest.raises(InputError, match="this is a result of `kerasad predict`"):
        read_category(data)


def test_photos_in_the_folder_that_predict_wrote_to_are_refused(draw):
    data = draw("out/a.png")
    Path(data / "out" / "predictions.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="this is a result of `kerasad predict`"):
        read_category(data)


@pytest.mark.parametrize(
    "paths",
    [
        ("a.png", "monday/b.png", "camera 2/left/c.png"),
        ("good/a.png", "good/b.png"),
        ("ok/monday/a.png", "ok/b.png"),
        ("masked_ball/a.png", "okra/b.png", "badge/c.png"),
    ],
)
def test_folder_names_without_a_meaning_are_read(draw, paths):
    assert len(read_category(draw(*paths)).good) == len(paths)


def test_the_name_of_the_folder_itself_does_not_count(draw):
    assert len(read_category(draw("masks/a.png", "masks/b.png") / "masks").good) == 2


def test_no_verb_trains_on_the_defects_beside_the_good_images(draw, tmp_path):
    data = draw(*(f"ok/{n}.png" for n in range(6)), "nok/x.png")
    words = ["train", str(data), "--output", str(tmp_path / "run")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "nok: its name says that it holds defects" in result.output
    assert not (tmp_path / "run").exists()
