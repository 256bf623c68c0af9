"""Processes that are killed before each change of a file, and in the middle of each write."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kerasad.data.provenance import Provenance, SeenImage
from kerasad.errors import InputError
from kerasad.export.publishing import draft_version, list_versions
from kerasad.files import write_json
from kerasad.runs.folder import create_run, lock_run
from kerasad.runs.run import open_run, save_detector, write_summaries

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kills need Linux")


@pytest.fixture
def kill(load):
    """Function of a function, a folder and one that prepares it; yields after each kill."""
    killing = load("killing")

    def kill(function, folder, prepare=lambda: None):
        prepare()
        code, changes = killing.call(function, folder)
        assert code == 0
        assert len(changes) >= 2
        for number, (change, _) in enumerate(changes):
            for limit in (None, 3) if change == "open" else (None,):
                prepare()
                code, _ = killing.call(function, folder, number, limit)
                assert code not in (0, 1)
                yield number

    return kill


def write_run(path, text, overwrite=False):
    with create_run(path, overwrite=overwrite) as work:
        for name in ("config.json", "detector.keras"):
            (work / name).write_text(text)


def read_run(path):
    return [(path / name).read_text() for name in ("config.json", "detector.keras")]


OLD, NEW = ["former"] * 2, ["newer"] * 2


def test_a_killed_training_leaves_a_whole_run_or_none(kill, tmp_path):
    def prepare():
        if path.exists():
            write_run(path, "away", overwrite=True)
            path.rename(tmp_path.parent / f"{tmp_path.name}{len(seen)}")

    path, seen = tmp_path / "run", []
    for _ in kill(lambda: write_run(path, "newer"), tmp_path, prepare):
        try:
            open_run(path)
            seen.append(read_run(path))
        except InputError:
            seen.append(None)
        assert os.listdir(tmp_path) == (["run"] if seen[-1] else [])
    assert all(found in (None, NEW) for found in seen)
    assert None in seen


def test_a_killed_overwrite_leaves_the_former_run_or_the_new_one(kill, tmp_path):
    path, seen = tmp_path / "run", []
    for _ in kill(
        lambda: write_run(path, "newer", overwrite=True),
        tmp_path,
        lambda: write_run(path, "former", overwrite=True),
    ):
        open_run(path)
        seen.append(read_run(path))
        assert os.listdir(tmp_path) == ["run"]
    assert OLD in seen
    assert NEW in seen
    assert all(found in (OLD, NEW) for found in seen)


class Detector:
    """What a run is saved from: a threshold, and images that set it."""

    def __init__(self, threshold):
        self.threshold = threshold
        self.provenance = Provenance({"calibration": (SeenImage("a.png", f"of {threshold}"),)})

    def save(self, path):
        Path(path).write_text(str(self.threshold))

    def calibration_summary(self):
        return {"threshold": self.threshold}


def test_a_killed_calibration_leaves_one_threshold_with_its_images(kill, tmp_path):
    def prepare():
        write_run(path, "text", overwrite=True)
        save_detector(Detector(1.0), path)

    path, seen = tmp_path / "run", set()
    for _ in kill(lambda: save_detector(Detector(2.0), path) and None, tmp_path, prepare):
        run = open_run(path)
        threshold = float((path / "detector.keras").read_text())
        with lock_run(run.path):
            write_summaries(Detector(threshold), path)  # as a command does that has loaded it
        assert json.loads((path / "calibration.json").read_text()) == {"threshold": threshold}
        (image,) = json.loads((path / "split.json").read_text())["calibration"]
        assert image["sha256"] == f"of {threshold}"
        assert len(os.listdir(path)) == 4
        seen.add(threshold)
    assert seen == {1.0, 2.0}


def test_a_killed_evaluation_leaves_the_former_metrics_or_the_new_ones(kill, tmp_path):
    def prepare():
        write_run(path, "text", overwrite=True)
        write_json(path / "metrics.json", {"image_auroc": 0.1})

    path = tmp_path / "run"
    for _ in kill(lambda: write_json(path / "metrics.json", {"image_auroc": 0.9}), path, prepare):
        assert open_run(path).metrics["image_auroc"] in (0.1, 0.9)
        assert len(os.listdir(path)) == 3


def test_a_killed_export_leaves_a_whole_version_or_none(kill, tmp_path):
    def export():
        with draft_version(tmp_path / "plate") as draft:
            (draft.folder / "saved_model.pb").write_text("whole")
            (draft.folder / "model_card.json").write_text("whole")
            draft.publish()

    for _ in kill(export, tmp_path):
        before = list_versions(tmp_path / "plate")
        export()
        assert len(list_versions(tmp_path / "plate")) == len(before) + 1
        for version in (tmp_path / "plate").iterdir():
            assert [(version / name).read_text() for name in os.listdir(version)] == ["whole"] * 2


@pytest.mark.slow
def test_a_killed_command_leaves_the_former_state_or_the_new_one(tmp_path):
    """The benchmark itself, on the verb that changes most of a run."""
    script = Path(__file__).parents[2] / "benchmarks/kills.py"
    words = ["--model", "patch_gaussian", "--commands", "calibrate", "--kills", "3"]
    output = tmp_path / "kills.jsonl"
    result = subprocess.run(
        [sys.executable, script, *words, "--output", output],
        env={**os.environ, "PYTHONPATH": str(script.parents[1])},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["wrong"] for row in rows] == [[], [], []]
