import json

import numpy as np
import pytest
from command_line import must, refused, run_verb, write_image
from PIL import Image


@pytest.fixture
def new_images(tmp_path):
    for number in range(7):
        write_image(tmp_path / "new" / f"{number}.png", 600 + number)
    return tmp_path / "new"


@pytest.fixture
def recalibrated(run, tmp_path):
    """A run with as many calibration images as a check asks for."""
    for number in range(9):
        write_image(tmp_path / "good" / f"{number}.png", 400 + number)
    must("calibrate", run, "--data", tmp_path / "good")
    return run


def test_a_check_tells_drift_by_its_exit_code_and_changes_nothing(
    recalibrated, new_images, tmp_path
):
    before = {path: path.read_bytes() for path in recalibrated.iterdir()}
    output = must("check", recalibrated, "--data", new_images).output
    assert "No drift found: the 7 new images look like the 9 calibration images" in output
    for number in range(7):
        pixels = np.asarray(Image.open(new_images / f"{number}.png"))
        path = tmp_path / "dark" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((0.5 * pixels).astype("uint8")).save(path)
    result = run_verb("check", recalibrated, "--data", tmp_path / "dark", "--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["drift"] is True
    assert found["tensor"] == "encoder_features"
    assert {path: path.read_bytes() for path in recalibrated.iterdir()} == before


def test_a_check_refuses_what_the_run_has_seen_and_too_few_images(
    recalibrated, new_images, tmp_path, data
):
    check = ("check", recalibrated, "--data")
    assert "in the run's calibration part" in refused(*check, tmp_path / "good")
    assert "say nothing about new ones" in refused(*check, data / "train" / "good")
    for number in range(3):
        (new_images / f"{number}.png").unlink()
    assert "There are 4 new images" in refused(*check, new_images, "--json")


def test_a_check_needs_new_images_and_a_level_that_is_a_probability(run):
    assert "Missing option '--data'" in refused("check", run)
    assert "`level` must be from" in refused("check", run, "--data", "gone", "--level", 2)
