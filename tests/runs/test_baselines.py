"""Every published method, from `train` to `evaluate`."""

import json

import pytest
from command_line import must
from helpers import TINY_MODEL
from small_baselines import NAMES, TINY

from kerasad.files import write_json
from kerasad.runs.run import Run
from kerasad.training.config import ModelConfig
from kerasad.training.recipes import find_recipe, resolve_arguments


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_baseline_is_trained_and_evaluated(data, tmp_path, name):
    known = resolve_arguments(ModelConfig(name), 0).arguments
    small = {**TINY_MODEL, **TINY}
    del small["backbone_weights"]
    settings = {
        "data": {"image_size": "32", "batch_size": 4},
        "model": {"arguments": {key: value for key, value in small.items() if key in known}},
        "training": {"false_alarm_rate": 0.34},
    }
    if find_recipe(name).steps:
        settings["training"]["epochs"] = 2
    write_json(tmp_path / "config.json", settings)
    options = ["--config", tmp_path / "config.json", "--output", tmp_path / "run"]
    must("train", data, "--model", name, *options)
    must("evaluate", tmp_path / "run")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert 0 <= metrics["pixel_auroc"] <= 1
    experts = Run(tmp_path / "run").load_detector().calibration_summary()["experts"]
    assert list(experts) == ["model_map"]
