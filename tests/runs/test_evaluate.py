import json
import shutil

import pytest
from command_line import must, refused, write_image

from kerasad.runs.evaluate import evaluated_data
from kerasad.runs.run import Run


@pytest.fixture(scope="module")
def evaluated(trained, data, tmp_path_factory):
    """A run after an evaluation, which replaced the metrics of another folder, and its output."""
    run = shutil.copytree(trained, tmp_path_factory.mktemp("evaluated") / "run")
    (run / "metrics.json").write_text(json.dumps({"data": str(data / "test/burn")}))
    return run, must("evaluate", run, "--data", data).output


@pytest.fixture(scope="module")
def evaluated_again(evaluated, data, tmp_path_factory):
    """That run, evaluated on the same images, with a damaged history and masks read by a value."""
    run = shutil.copytree(evaluated[0], tmp_path_factory.mktemp("again") / "run")
    (run / "history.csv").write_text("")
    with pytest.warns(UserWarning, match=r"history\.csv, line 1"):
        output = must("evaluate", run, "--data", data, "--mask-foreground", "7").output
    return run, output


def test_evaluate_writes_every_metric_and_prints_a_table(evaluated, data):
    run, output = evaluated
    metrics = json.loads((run / "metrics.json").read_text())
    for name in ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "iou_pooled"):
        assert 0 <= metrics[name] <= 1
        assert name in output
    assert metrics["num_images"] == 5
    assert metrics["seed"] == 3
    assert metrics["train_seconds"] > 0
    assert metrics["peak_memory_mb"] > 100
    assert "peak_memory_mb" not in metrics["notes"]
    assert metrics["data"] == str(data)
    assert set(metrics["per_defect"]) == {"burn"}


@pytest.mark.slow
def test_report_is_one_page(evaluated):
    must("report", evaluated[0])
    page = (evaluated[0] / "report.html").read_text()
    assert "test/burn/000.png" in page
    assert "t-SNE" in page
    assert "http:" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_damaged_history_costs_an_evaluation_its_seconds_of_training_alone(evaluated_again):
    metrics = Run(evaluated_again[0]).metrics
    assert metrics["num_images"] == 5
    assert metrics["train_seconds"] is None
    assert metrics["notes"]["train_seconds"] == "history.csv is damaged"


def test_evaluate_reads_masks_by_the_option_and_a_report_after_it_too(evaluated_again):
    run = Run(evaluated_again[0])
    metrics = run.metrics
    assert metrics["pixel_auroc"] is None  # no pixel of the masks, 0 and 255, has this value
    assert metrics["image_auroc"] is not None
    assert evaluated_data(run).mask_foreground == "7"


@pytest.mark.slow
def test_evaluate_on_good_images_gives_the_false_alarm_rate_alone(run, tmp_path):
    for number in range(4):
        write_image(tmp_path / "good" / f"{number}.png", 300 + number)
    must("evaluate", run, "--data", tmp_path / "good")
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0 <= metrics["false_alarm_rate"]["observed"] <= 1
    assert metrics["image_auroc"] is None
    assert "image_auroc" in metrics["notes"]


def test_evaluate_says_when_metrics_of_other_data_are_replaced(evaluated, evaluated_again, data):
    other, again = evaluated[1], evaluated_again[1]
    burn = data / "test/burn"
    assert f"holds the metrics of {burn}, and those of {data} will replace them" in other
    assert other.index("will replace them") < other.index("image_auroc")
    assert f"Metrics of {data} written to" in other
    assert "will replace them" not in again


def test_evaluate_refuses_images_that_the_run_has_seen(run, data):
    assert "has not seen" in refused("evaluate", run, "--data", data / "train" / "good")


def test_evaluate_refuses_a_test_image_that_trained(run, data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "plate")
    trained_on = next(iter(json.loads((run / "split.json").read_text())["train"]))["path"]
    shutil.copy(data / trained_on, copy / "test/good/again.png")
    message = refused("evaluate", run, "--data", copy)
    assert "again.png: this image (1 of the 6 given) is in the run's train part" in message
    assert not (run / "metrics.json").exists()


def test_report_without_the_images_says_so(trained, tmp_path, data):
    run = shutil.copytree(trained, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["data"]["path"] = str(tmp_path / "gone")
    (run / "config.json").write_text(json.dumps(config))
    must("report", run)
    assert "Images cannot be shown." in (run / "report.html").read_text()
