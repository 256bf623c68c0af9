"""A benchmark whose rows are trained and measured in processes of their own."""

import json
import os
import shutil

import pytest
from command_line import run_verb
from helpers import TINY_MODEL

from kerasad.files import read_json, write_json
from kerasad.runs.run import Run

pytestmark = pytest.mark.slow


def test_rows_are_measured_as_train_and_evaluate_measure_and_failures_are_sentences(data, tmp_path):
    """A whole category, and one whose only burnt picture is cut off where no header shows it."""
    broken = shutil.copytree(data, tmp_path / "data/gear")
    shutil.copytree(data, tmp_path / "data/plate")
    picture = broken / "test/burn/001.png"
    picture.write_bytes(picture.read_bytes()[:-40])
    values = {
        "data": {"image_size": "32x32", "batch_size": 4, "on_bad": "raise"},
        "model": {"name": "vae_gan", "arguments": TINY_MODEL},
        "training": {"epochs": 1, "false_alarm_rate": 0.34, "synthetic_defects": 8},
    }
    write_json(tmp_path / "tiny.json", values)
    words = [tmp_path / "data", "--output", tmp_path / "out", "--config", tmp_path / "tiny.json"]
    result = run_verb("benchmark", *words, "--keep-runs")
    assert result.exit_code == 1, result.output + str(result.exception)
    assert "gear, vae_gan, seed 0: " in result.stderr
    assert "test/burn/001.png" in result.stderr
    assert "Traceback" not in result.stderr

    failed, done = (
        json.loads(line) for line in (tmp_path / "out/rows.jsonl").read_text().splitlines()
    )
    assert failed["status"] == "failed"
    assert "test/burn/001.png" in failed["reason"]
    run = Run(tmp_path / "out/runs/plate_vae_gan_seed0")
    assert os.listdir(tmp_path / "out/runs") == [run.path.name]
    assert run.config.model.arguments["filters"] == 2
    for name in ("image_auroc", "aupro", "iou_oracle", "milliseconds_per_image", "image_size"):
        assert done[name] == run.metrics[name]
    assert done["num_images"] == 4
    assert (done["train_images"], done["good_images"]) == (7, 10)
    assert 0 < done["train_seconds"] < done["fit_seconds"]
    assert done["fit_memory_mb"] > 100
    assert done["peak_memory_mb"] > 100
    size = (run.path / "detector.keras").stat().st_size
    assert done["model_mb"] == pytest.approx(size / 2**20)
    row = read_json(tmp_path / "out/benchmark.json")["rows"][1]
    assert row["aupro"]["mean"] == done["aupro"]
