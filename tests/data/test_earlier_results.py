import json
import os

import pytest

from kerasad.data.earlier_results import WORK, EarlierResults, read_overlays


def write_list(folder, *lines):
    folder.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "predictions.jsonl").write_text("\n".join(texts) + "\n")


def draw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_picture_is_a_result_where_a_list_above_it_says_so(tmp_path):
    write_list(tmp_path / "out", {"overlay": "x_overlay.png"}, {"overlay": "a/b/x_overlay.png"})
    inside = draw(tmp_path / "out/a/b/x_overlay.png")
    photos = [
        tmp_path / "x_overlay.png",
        tmp_path / "out/my_overlay.png",
        tmp_path / "out/a/x_overlay.png",
        tmp_path / "out/x.png",
    ]
    earlier = EarlierResults()
    assert inside in earlier
    assert draw(tmp_path / "out/x_overlay.png") in earlier
    assert not [photo for photo in photos if draw(photo) in earlier]


def test_a_folder_that_was_moved_or_linked_still_knows_its_results(tmp_path):
    write_list(tmp_path / "old", {"overlay": "a/x_overlay.png"})
    draw(tmp_path / "old/a/x_overlay.png")
    (tmp_path / "old").rename(tmp_path / "moved")
    (tmp_path / "photos").mkdir()
    os.symlink(tmp_path / "moved/a", tmp_path / "photos/link")
    assert tmp_path / "photos/link/x_overlay.png" in EarlierResults()
    assert tmp_path / "moved/a/x_overlay.png" in EarlierResults()


def test_a_list_names_no_photo_and_nothing_outside_of_its_folder(tmp_path):
    write_list(
        tmp_path / "in/out",
        {"overlay": "photo.png"},
        {"overlay": "../x_overlay.png"},
        {"overlay": str(tmp_path / "in/x_overlay.png")},
        {"overlay": ["x_overlay.png"]},
        {"path": "a.png", "error": "broken"},
        "[" * 100_000,
        '"x_overlay.png"',
        "no JSON",
        {"overlay": "y_overlay.png"},
    )
    assert {str(name) for name in read_overlays(tmp_path / "in/out/predictions.jsonl")} == {
        "y_overlay.png"
    }
    assert draw(tmp_path / "in/x_overlay.png") not in EarlierResults()
    assert draw(tmp_path / "in/out/photo.png") not in EarlierResults()


def test_the_list_of_a_prediction_that_was_killed_while_it_moved_its_results_counts(tmp_path):
    write_list(tmp_path / WORK, {"overlay": "x_overlay.png"})
    assert draw(tmp_path / "x_overlay.png") in EarlierResults()


@pytest.mark.parametrize("is_one_file", [True, False])
def test_a_name_in_another_case_is_a_result_where_it_is_one_file(tmp_path, is_one_file):
    write_list(tmp_path, {"overlay": "X_overlay.png"})
    draw(tmp_path / "X_overlay.png")
    if is_one_file:  # as where case does not count
        os.link(tmp_path / "X_overlay.png", tmp_path / "x_overlay.png")
    else:
        draw(tmp_path / "x_overlay.png")
    assert (tmp_path / "x_overlay.png" in EarlierResults()) is is_one_file


def test_a_folder_without_a_list_has_no_results(tmp_path):
    (tmp_path / "predictions.jsonl").mkdir()
    assert draw(tmp_path / "x_overlay.png") not in EarlierResults()
    assert not read_overlays(tmp_path / "gone")
