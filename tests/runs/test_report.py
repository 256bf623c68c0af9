import csv
import json

import pytest

from kerasad.data.provenance import Provenance, SeenImage
from kerasad.errors import InputError
from kerasad.files import write_json
from kerasad.models.base import AnomalyModel
from kerasad.runs.report import report_run
from kerasad.runs.run import Run, open_run
from kerasad.training.config import DataConfig, RunConfig

METRICS = {
    "image_auroc": 0.875,
    "threshold": 3.0,
    "image_size": [32, 48],
    "calibration_id": "of the detector",
}
CALIBRATION = {"threshold": 3.0, "note": "4 images guarantee 20 %"}


class Detector:
    model = AnomalyModel()
    tiles = None
    provenance = Provenance({"train": (SeenImage("a.png", "hash"),)})

    def calibration_summary(self):
        return CALIBRATION | {"calibration_id": "of the detector"}


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A run whose images are gone."""
    RunConfig(DataConfig(str(tmp_path / "gone"))).write(tmp_path / "config.json")
    write_json(tmp_path / "metrics.json", METRICS)
    (tmp_path / "history.csv").write_text("epoch,loss,kl_loss,seconds\n1,2.0,1.0,3.0\n")
    monkeypatch.setattr(Run, "load_detector", lambda self: Detector())
    return Run(tmp_path)


def test_the_page_is_written_beside_what_it_is_made_of(empty):
    assert report_run(empty) == empty.path / "report.html"
    assert (empty.path / "report.csv").read_text().startswith("run,path,defect,label")
    assert json.loads((empty.path / "report.json").read_text())["runs"][0]["metrics"] == METRICS
    page = (empty.path / "report.html").read_text()
    for text in ("0.875", "4 images guarantee 20 %", "Images cannot be shown.", "kl loss"):
        assert text in page
    assert "calibrated again" not in page


def test_metrics_of_an_earlier_calibration_are_marked(empty):
    write_json(empty.path / "metrics.json", METRICS | {"calibration_id": "another"})
    assert "calibrated again after its evaluation" in report_run(empty).read_text()


def test_a_damaged_history_leaves_the_rest_of_the_page(empty):
    (empty.path / "history.csv").write_text("epoch,loss,seconds\n1,junk,2.0\n")
    page = report_run(empty).read_text()
    assert "The curves cannot be shown." in page
    assert "history.csv, line 2" in page
    assert "0.875" in page


def test_a_real_run_is_shown_with_every_picture_and_table(run):
    opened = open_run(run)
    page = report_run(opened).read_text()
    summary = json.loads((run / "report.json").read_text())["runs"][0]
    with (run / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert summary["images"]["defective"] == 3
    assert [float(row["anomaly_score"]) for row in rows] == [
        row["anomaly_score"] for row in summary["images"]["list"]
    ]
    for text in (
        "reconstruction",
        "attention",
        "expert pixel_residual",
        "kerasad train",
        "encoder",
    ):
        assert text in page
    assert summary["versions"]["keras, when the run was saved"].startswith("3.")


@pytest.mark.slow
def test_a_run_without_test_images_shows_its_good_photos(run, monkeypatch):
    def no_test(*arguments):
        raise InputError("there is no test image.")

    monkeypatch.setattr("kerasad.runs.report.open_test_data", no_test)
    page = report_run(open_run(run)).read_text()
    images = json.loads((run / "report.json").read_text())["runs"][0]["images"]
    assert not images["are_test_images"]
    calibrating = json.loads((run / "split.json").read_text())["calibration"]
    assert {row["path"] for row in images["list"]} == {each["path"] for each in calibrating}
    assert "nothing is known of errors" in page
    assert '"overlay":' in page


def test_a_run_is_named_once(empty):
    with pytest.raises(InputError, match="name each run once"):
        report_run(empty, Run(empty.path))
