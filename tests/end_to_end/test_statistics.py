"""A recipe that trains nothing, from the first verb of the command line to the last."""

import os
import shutil

import pytest
from command_line import must, refused, write_image

from kerasad.runs.run import Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def statistics(data, tmp_path_factory):
    """A run of the Gaussian and the memory together, and what its training printed."""
    path = tmp_path_factory.mktemp("statistics") / "run"
    words = ["--image-size", 64, "--false-alarm-rate", 0.34, "--synthetic-defects", 8]
    result = must("train", data, "--model", "feature_statistics", "--output", path, *words)
    return path, result.output


def test_nothing_is_trained_and_this_is_said(statistics):
    path, output = statistics
    assert "feature_statistics trains no network: it gathers statistics of 10 good images" in output
    assert set(os.listdir(path)) == {
        "config.json",
        "split.json",
        "model.keras",
        "detector.keras",
        "calibration.json",
        "unusual",
    }
    run = Run(path)
    assert run.config.training.epochs is None
    assert [expert.name for expert in run.load_detector().experts] == [
        "patch_gaussian",
        "feature_memory",
        "feature_gaussian_1",
        "feature_gaussian_2",
    ]
    assert run.load_model().view.is_adapted


def test_every_verb_works_on_it(statistics, data, tmp_path):
    path, _ = statistics
    must("evaluate", path)
    metrics = Run(path).metrics
    assert metrics["pixel_auroc"] > 0.8
    assert metrics["train_seconds"] is None
    assert metrics["notes"]["train_seconds"] == "nothing is trained"
    must("predict", path, data / "test", "--output", tmp_path / "results")
    for number in range(9):
        write_image(tmp_path / "good" / f"{number}.png", 400 + number)
    must("calibrate", path, "--data", tmp_path / "good")
    for number in range(7):
        write_image(tmp_path / "new" / f"{number}.png", 600 + number)
    must("check", path, "--data", tmp_path / "new")
    must("report", path)
    assert "Features of the backbone" in (path / "report.html").read_text()
    must("export", path, "--output", tmp_path / "plates", "--no-warmup")
    assert (tmp_path / "plates/1/saved_model.pb").is_file()


def test_an_update_is_a_new_run_that_knows_the_images_of_both(statistics, data, tmp_path):
    path, _ = statistics
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    for number in range(6):
        write_image(tmp_path / "new" / f"{number}.png", 800 + number)
    shutil.copy(data / "train/good/000.png", tmp_path / "new")  # the run knows it
    words = ["--data", tmp_path / "new", "--output", tmp_path / "updated"]
    output = must("update", path, *words).output
    assert "Images that the run knows, which are left out: 1." in output
    assert "the rate is that of images like these" in output
    updated = Run(tmp_path / "updated")
    assert len(updated.provenance.images("train")) == len(Run(path).provenance.images("train")) + 6
    assert updated.load_detector().decision.num_images == 6
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    must("evaluate", updated.path)
    assert updated.metrics["pixel_auroc"] > 0.8
    refused_words = ["--data", tmp_path / "new", "--output", tmp_path / "again"]
    assert "All 7 good images given are known" in refused("update", updated.path, *refused_words)
    for number in range(3):
        write_image(tmp_path / "few" / f"{number}.png", 900 + number)
    refused_words[1] = tmp_path / "few"
    assert "needs at least 5 new good images" in refused("update", updated.path, *refused_words)
    assert not (tmp_path / "again").exists()
