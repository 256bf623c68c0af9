"""The end of a training: which good photos to look at."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import write_image
from PIL import Image

from kerasad.data import load_category, read_category
from kerasad.data.earlier_results import EarlierResults
from kerasad.detector.unusual import LeftOutScores
from kerasad.runs.unusual import draw_unusual, read_unusual


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "photos"
    for number in range(12):
        write_image(root / f"{('monday', 'tuesday')[number % 2]}/{number // 2}.png", number)
    return root


@pytest.fixture(scope="module")
def category(photos):
    return load_category(photos, 32, crosswise=True, split=(1, 1, 1))


def left_out(scores):
    order = np.argsort(-np.asarray(scores))[:5]
    maps = {int(row): np.zeros((32, 32, 1), "float32") for row in order}
    for row, anomaly_map in maps.items():
        anomaly_map[8:12, 8:12] = scores[row]
    return LeftOutScores(np.float32(scores), maps)


def draw(category, scores, folder):
    return draw_unusual(left_out(scores), SimpleNamespace(pixel_threshold=5.0), category, folder)


def test_it_names_five_photos_with_score_and_rank_and_draws_them(category, tmp_path):
    folder = tmp_path / "unusual"
    scores = np.linspace(1, 2, 12)
    scores[[4, 7]] = 9, 8
    text = draw(category, scores, folder).splitlines()
    assert text[0].startswith("The 5 most unusual good photos, each scored by statistics of")
    assert "--exclude FILE leaves one out" in text[0]
    first = category.split.train[4].relative_path
    assert text[1].split() == ["1", "of", "12", "score", "9", "p", "0.083", first, "stands", "out"]
    assert "stands out" in text[2]
    assert "stands out" not in text[3]
    assert text[-1] == "  2 stand out from all the others: they may show defects."
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [row["stands_out"] for row in rows] == [True, True, False, False, False]
    with Image.open(folder / rows[0]["overlay"]) as picture:
        assert picture.text["Description"] == "STANDS OUT 1 of 12 score 9"
        assert picture.size[0] == 256


def test_it_says_so_where_none_stands_out(category, tmp_path):
    text = draw(category, np.linspace(1, 2, 12), tmp_path / "unusual")
    assert "None stands out" in text
    assert text.count("stands out") == 1


def test_a_run_in_the_data_and_its_pictures_are_no_photos(photos, category, tmp_path):
    shutil.copytree(photos, tmp_path / "photos")
    folder = tmp_path / "photos/run/unusual"
    draw(category, np.linspace(1, 2, 12), folder)
    pictures = list(folder.glob("*.png"))
    assert len(pictures) == 5  # in one folder, though two photos have one name
    earlier = EarlierResults()
    assert all(picture in earlier for picture in pictures)
    (folder.parent / "detector.keras").touch()
    assert len(read_category(tmp_path / "photos").good) == 12


def test_what_was_drawn_is_read_again_for_the_report(category, tmp_path):
    assert read_unusual(tmp_path / "unusual") == {}
    scores = np.linspace(1, 2, 12)
    scores[4] = 9
    draw(category, scores, tmp_path / "unusual")
    found = read_unusual(tmp_path / "unusual")
    assert len(found) == 5
    first = found[category.split.train[4].path]
    assert first["text"] == "left-out score 9, p 0.083, stands out"
    assert first["overlay"].is_file()
    first["overlay"].unlink()
    assert read_unusual(tmp_path / "unusual")[category.split.train[4].path]["overlay"] is None
