import json

import numpy as np
import pytest
from command_line import must, refused, write_image
from tiny_run import write_category


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    root = tmp_path_factory.mktemp("tuned") / "plates"
    write_category(root)
    for number in range(3, 10):
        write_image(root / f"test/burn/{number:03d}.png", 200 + number, np.s_[8:16, 10:22])
    return root


def test_defects_that_chose_weights_are_told_and_are_not_tested(plates, config, tmp_path):
    run = tmp_path / "run"
    names = [word for n in range(8) for word in ("--tune-with", f"burn/{n:03d}.png")]
    told = must("train", plates, "--config", config, "--output", run, *names).output
    assert "real defects to choose weights on, never test images: 8 (3 with a mask)" in told
    assert "8 real defects were given" in told.replace("\n", " ")
    assert json.loads((run / "calibration.json").read_text())["real_defects"]["num_masks"] == 3
    assert len(json.loads((run / "split.json").read_text())["tuning"]) == 8
    must("evaluate", run)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["labelled_left_out"] == 8
    said = refused("calibrate", run, "--data", plates / "test" / "burn", "--good", ".")
    assert "tuning part" in said


def test_seven_defects_are_refused_with_exit_code_2(plates, config, tmp_path):
    names = [word for n in range(7) for word in ("--tune-with", f"burn/{n:03d}.png")]
    said = refused("train", plates, "--config", config, "--output", tmp_path / "run", *names)
    assert "names 7 different defective images" in said
    assert not (tmp_path / "run").exists()
