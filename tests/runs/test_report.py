import pytest

from kerasad.data.provenance import Provenance, SeenImage
from kerasad.files import write_json
from kerasad.models.base import AnomalyModel
from kerasad.runs.report import report_run
from kerasad.runs.run import Run
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
def run(tmp_path, monkeypatch):
    """A run whose images are gone."""
    RunConfig(DataConfig(str(tmp_path / "gone"))).write(tmp_path / "config.json")
    write_json(tmp_path / "metrics.json", METRICS)
    (tmp_path / "history.csv").write_text("epoch,loss,kl_loss,seconds\n1,2.0,1.0,3.0\n")
    monkeypatch.setattr(Run, "load_detector", lambda self: Detector())
    return Run(tmp_path)


def test_the_page_is_written_beside_what_it_is_made_of(run):
    assert report_run(run) == run.path / "report.html"
    page = (run.path / "report.html").read_text()
    for text in ("0.875", "4 images guarantee 20 %", "Images cannot be shown.", "The loss of each"):
        assert text in page
    assert "calibrated again" not in page


def test_metrics_of_an_earlier_calibration_are_marked(run):
    write_json(run.path / "metrics.json", METRICS | {"calibration_id": "another"})
    assert "calibrated again after its evaluation" in report_run(run).read_text()


def test_a_damaged_history_leaves_the_rest_of_the_page(run):
    (run.path / "history.csv").write_text("epoch,loss,seconds\n1,junk,2.0\n")
    page = report_run(run).read_text()
    assert "The curves cannot be shown." in page
    assert "history.csv, line 2" in page
    assert "0.875" in page
