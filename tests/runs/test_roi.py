"""`--roi` in every verb: what is outside is not seen, and what does not fit is a sentence."""

import json

import numpy as np
import pytest
from command_line import must, refused, write_image
from PIL import Image

from kerasad.runs.run import open_run

SPOT_INSIDE, SPOT_OUTSIDE = np.s_[12:18, 12:18], np.s_[:5, :5]
SETTINGS = {"data": {"image_size": "32"}, "training": {"false_alarm_rate": 0.2}}


def write_mask(path, size=(32, 32)):
    mask = np.zeros(size, "uint8")
    mask[8:24, 8:24] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return path


@pytest.fixture(scope="module")
def plate(tmp_path_factory):
    """A category with a defect inside the mask beside it, and one outside."""
    root = tmp_path_factory.mktemp("roi") / "plate"
    for number in range(8):
        write_image(root / f"train/good/{number}.png", number)
    write_image(root / "test/good/8.png", 8)
    for number, name, spot in ((9, "in", SPOT_INSIDE), (10, "out", SPOT_OUTSIDE)):
        write_image(root / f"test/{name}/{number}.png", number, spot)
        mask = np.zeros((32, 32), "uint8")
        mask[spot] = 255
        path = root / f"ground_truth/{name}/{number}_mask.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(mask).save(path)
    write_mask(root.with_name("mask.png"))
    root.with_name("small.json").write_text(json.dumps(SETTINGS))
    return root


@pytest.fixture(scope="module")
def trained(plate):
    run = plate.with_name("run")
    words = ["--config", plate.with_name("small.json"), "--roi", plate.with_name("mask.png")]
    must("train", plate, "--output", run, *words)
    return run


def predictions(folder):
    lines = (folder / "predictions.jsonl").read_text().splitlines()
    return {line["path"].split("/")[-1]: line for line in map(json.loads, lines)}


@pytest.mark.slow
def test_a_defect_outside_is_not_called_and_none_is_marked_there(plate, trained, tmp_path):
    plate.with_name("mask.png").rename(plate.with_name("moved.png"))  # the run needs it no more
    try:
        must("predict", trained, plate / "test", "--output", tmp_path)
    finally:
        plate.with_name("moved.png").rename(plate.with_name("mask.png"))
    found = predictions(tmp_path)
    assert found["9.png"]["decision"] == "defective"
    assert found["10.png"]["decision"] == "good"
    for box in found["9.png"]["boxes"]:
        assert min(box["x"], box["y"]) >= 8
        assert max(box["x"] + box["width"], box["y"] + box["height"]) <= 24


@pytest.mark.slow
def test_an_image_whose_defect_is_outside_counts_as_good(plate, trained):
    result = must("evaluate", trained)
    metrics = open_run(trained).metrics
    assert (metrics["num_good_images"], metrics["num_defective_images"]) == (2, 1)
    assert metrics["defects_outside_roi"] == ["test/out/10.png"]
    assert "Counted as good, defect outside the region: test/out/10.png" in result.output
    must("report", trained)


def test_inspect_data_shows_how_much_is_inside(plate, tmp_path):
    words = ["--roi", plate.with_name("mask.png"), "--output", tmp_path / "sheet.png"]
    assert "region of interest: 25.0% of the pixels" in must("inspect-data", plate, *words).output


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "none.png", "none.png: there is no such file or folder"),
        (lambda folder: write_mask(folder / "m.png", (24, 32)), "is 32 x 24 pixels and its image"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_before_anything_is_written(
    plate, tmp_path, make, sentence
):
    words = ["--config", plate.with_name("small.json"), "--roi", make(tmp_path)]
    assert sentence in refused("train", plate, "--output", tmp_path / "run", *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_with_one_region_takes_no_other(plate, trained, tmp_path):
    words = ["--output", tmp_path / "out", "--roi", tmp_path]
    said = refused("predict", trained, plate / "test", *words)
    assert "has one region of interest for all images, so --roi cannot name others" in said


@pytest.mark.slow
def test_a_region_for_each_image_is_asked_for_and_keeps_the_run_from_being_exported(
    plate, tmp_path
):
    folder = tmp_path / "roi"
    for image in plate.rglob("*/*/*.png"):
        if "ground_truth" not in image.parts:
            write_mask(folder / image.relative_to(plate))
    run, config = tmp_path / "run", plate.with_name("small.json")
    must("train", plate, "--output", run, "--config", config, "--roi", folder)
    must("evaluate", run)
    words = ["--output", tmp_path / "out"]
    assert "name the folder of these with --roi" in refused("predict", run, plate / "test", *words)
    must("predict", run, plate / "test", *words, "--roi", folder)
    found = predictions(tmp_path / "out")
    assert [found[name]["decision"] for name in ("9.png", "10.png")] == ["defective", "good"]
    said = refused("export", run, "--output", tmp_path / "models" / "plate")
    assert "train with one mask for all images to export" in said
