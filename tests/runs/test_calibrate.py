import json
import shutil

import numpy as np
import pytest
from command_line import must, refused, run_verb, write_image
from PIL import Image

from kerasad.runs.calibrate import describe_surprise
from kerasad.runs.run import Run


def read_calibration(run):
    """What `calibration.json` says, which the commands write for people."""
    return json.loads((run / "calibration.json").read_text())


def test_calibrate_changes_the_rate_and_keeps_the_scores(run):
    before = read_calibration(run)
    must("calibrate", run, "--false-alarm-rate", 0.67)
    after = read_calibration(run)
    assert after["false_alarm_rate"]["requested"] == 0.67
    assert after["threshold"] < before["threshold"]
    assert after["num_images"] == before["num_images"]
    assert after["experts"] == before["experts"]
    assert Run(run).load_detector().threshold == after["threshold"]


def test_a_review_band_is_set_kept_and_taken_away(run):
    before = read_calibration(run)
    output = must("calibrate", run, "--review-rate", 0.7).output
    assert "To be reviewed above" in output
    assert "review rate requested 70.0%, guaranteed 66.7%" in output
    must("calibrate", run, "--false-alarm-rate", 0.35)
    after = read_calibration(run)
    assert after["review_rate"]["requested"] == 0.7
    assert after["threshold"] == before["threshold"] > after["review_threshold"]

    assert "--review-rate must be above" in refused("calibrate", run, "--false-alarm-rate", 0.7)
    must("calibrate", run, "--review-rate", 0)
    assert read_calibration(run)["review_rate"] is None


@pytest.mark.slow
def test_predictions_have_the_review_band_of_the_calibration(run, data, tmp_path):
    must("calibrate", run, "--review-rate", 0.7)
    results = tmp_path / "results"
    # The training photos too: the calibration image at the threshold is in the band.
    output = must("predict", run, data, "--output", results).output
    lines = [json.loads(line) for line in (results / "predictions.jsonl").open()]
    for line in lines:
        assert (line["decision"] == "review") == (
            line["review_threshold"] < line["anomaly_score"] <= line["threshold"]
        )
    reviews = sum(line["decision"] == "review" for line in lines)
    assert reviews
    assert f"called defective, {reviews} to be reviewed." in output


def test_damaged_metrics_do_not_fail_a_calibration_that_was_written(run):
    (run / "metrics.json").write_text("{")
    output = must("calibrate", run, "--false-alarm-rate", 0.67).output
    assert "run `kerasad evaluate` again" in output


@pytest.fixture(scope="module")
def recalibrated(trained, tmp_path_factory):
    """A run that was calibrated on the 9 images in `good` beside it, as many as a check asks for.

    No test may change it; `output.txt` beside it has what was printed.
    """
    folder = tmp_path_factory.mktemp("recalibrated")
    for number in range(9):
        write_image(folder / "good" / f"{number}.png", 400 + number)
    run = shutil.copytree(trained, folder / "run")
    output = must("calibrate", run, "--data", folder / "good").output
    (folder / "output.txt").write_text(output)
    return run


def test_calibrate_uses_all_new_good_images(recalibrated, trained, tmp_path):
    folder = shutil.copytree(recalibrated.parent, tmp_path / "copy")
    run, good = folder / "run", folder / "good"
    before, after = read_calibration(trained), read_calibration(run)
    output = (folder / "output.txt").read_text()
    assert after["num_images"] == 9
    assert after["experts"] == before["experts"]
    assert after["false_alarm_rate"]["guaranteed"] == pytest.approx(0.3)
    assert "9 images" in output
    assert "use: 9 different good images" in output
    assert "kerasad predict" in refused("evaluate", run, "--data", good)
    write_image(good / "new.png", 500)
    must("evaluate", run, "--data", good)
    assert Run(run).metrics["num_images"] == 1


def test_new_images_far_above_the_former_threshold_are_a_surprise():
    scores = np.array([1.0] * 8 + [5.0] * 6)
    assert "6 of 14 images are above the former threshold of 2" in describe_surprise(
        scores, 2.0, 0.05
    )
    assert describe_surprise(scores, 6.0, 0.05) is None
    # One of 14 has the probability 51 %.
    assert describe_surprise(scores[:9], 2.0, 0.05) is None


@pytest.mark.slow
def test_calibrate_counts_copies_of_an_image_once(run, tmp_path):
    for number in range(9):
        write_image(tmp_path / "good" / f"{number}.png", 400 + number % 3)
    assert "3 images" in must("calibrate", run, "--data", tmp_path / "good").output


def test_calibrate_refuses_images_that_trained_and_changes_nothing(run, data):
    before = (run / "detector.keras").read_bytes()
    assert "in the run's" in refused("calibrate", run, "--data", data / "train" / "good")
    assert (run / "detector.keras").read_bytes() == before


def test_calibrate_without_anything_to_change_says_so(run):
    assert "give --data, --false-alarm-rate or --review-rate" in refused("calibrate", run)


def test_a_network_in_place_of_the_detector_is_told_for_what_it_is(run):
    shutil.copy(run / "model.keras", run / "detector.keras")
    message = refused("calibrate", run, "--false-alarm-rate", 0.5)
    assert "detector.keras holds a VAEGAN, not an AnomalyDetector" in message


@pytest.fixture
def new_images(tmp_path):
    for number in range(7):
        write_image(tmp_path / "new" / f"{number}.png", 600 + number)
    return tmp_path / "new"


def test_a_check_tells_drift_by_its_exit_code_and_changes_nothing(recalibrated, new_images):
    before = {path: path.read_bytes() for path in recalibrated.iterdir()}
    output = must("check", recalibrated, "--data", new_images).output
    assert "No drift found: the 7 new images look like the 9 calibration images" in output
    dark = recalibrated.with_name("dark")
    for number in range(7):
        pixels = np.asarray(Image.open(new_images / f"{number}.png"))
        path = dark / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((0.5 * pixels).astype("uint8")).save(path)
    # Beside a folder called good, another one may hold defects.
    words = ("check", recalibrated, "--data", dark, "--json")
    assert "say so with --good ." in refused(*words)
    result = run_verb(*words, "--good", ".")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["drift"] is True
    assert found["tensor"] == "encoder_features"
    assert {path: path.read_bytes() for path in recalibrated.iterdir()} == before


def test_a_check_refuses_what_the_run_has_seen_and_too_few_images(recalibrated, new_images, data):
    check = ("check", recalibrated, "--data")
    good = recalibrated.with_name("good")
    assert "in the run's calibration part" in refused(*check, good)
    assert "say nothing about new ones" in refused(*check, data / "train" / "good")
    for number in range(3):
        (new_images / f"{number}.png").unlink()
    assert "There are 4 new images" in refused(*check, new_images, "--json")


def test_a_check_needs_new_images_and_a_level_that_is_a_probability(run):
    assert "Missing option '--data'" in refused("check", run)
    assert "--level must be from" in refused("check", run, "--data", "gone", "--level", 2)
