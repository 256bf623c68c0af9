import json
import shutil

import pytest
from command_line import must, refused, write_image

from kerasad.runs.run import Run


def test_calibrate_changes_the_rate_and_keeps_the_scores(run):
    before = Run(run).calibration
    must("calibrate", run, "--false-alarm-rate", 0.67)
    after = Run(run).calibration
    assert after["false_alarm_rate"]["requested"] == 0.67
    assert after["threshold"] < before["threshold"]
    assert after["num_images"] == before["num_images"]
    assert after["experts"] == before["experts"]
    assert Run(run).load_detector().threshold == after["threshold"]


def test_a_review_band_is_set_kept_and_taken_away(run, data, tmp_path):
    before = Run(run).calibration
    output = must("calibrate", run, "--review-rate", 0.7).output
    assert "To be looked at above" in output
    assert "review rate requested 70.0%, guaranteed 66.7%" in output
    must("calibrate", run, "--false-alarm-rate", 0.35)
    after = Run(run).calibration
    assert after["review_rate"]["requested"] == 0.7
    assert after["threshold"] == before["threshold"] > after["review_threshold"]

    results = tmp_path / "results"
    output = must("predict", run, data / "test", "--output", results).output
    lines = [json.loads(line) for line in (results / "predictions.jsonl").open()]
    for line in lines:
        assert (line["decision"] == "look") == (
            line["review_threshold"] < line["anomaly_score"] <= line["threshold"]
        )
    looks = sum(line["decision"] == "look" for line in lines)
    assert f"called defective, {looks} to be looked at." in output

    assert "review_rate` must be above" in refused("calibrate", run, "--false-alarm-rate", 0.7)
    must("calibrate", run, "--review-rate", 0)
    assert Run(run).calibration["review_rate"] is None


def test_damaged_metrics_do_not_fail_a_calibration_that_was_written(run):
    (run / "metrics.json").write_text("{")
    output = must("calibrate", run, "--false-alarm-rate", 0.67).output
    assert "run `kerasad evaluate` again" in output


def test_calibrate_uses_all_new_good_images(run, tmp_path):
    for number in range(9):
        write_image(tmp_path / "good" / f"{number}.png", 400 + number)
    before = Run(run).calibration
    output = must("calibrate", run, "--data", tmp_path / "good").output
    after = Run(run).calibration
    assert after["num_images"] == 9
    assert after["experts"] == before["experts"]
    assert after["false_alarm_rate"]["guaranteed"] == pytest.approx(0.3)
    assert "9 images" in output
    assert "kerasad predict" in refused("evaluate", run, "--data", tmp_path / "good")
    write_image(tmp_path / "good" / "new.png", 500)
    must("evaluate", run, "--data", tmp_path / "good")
    assert Run(run).metrics["num_images"] == 1


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
