import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "scripts"


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path):
    """A category of 32 x 32 pictures: 6 good ones, and 2 + 2 for tests."""
    rng = np.random.default_rng(0)
    for number in range(6):
        for folder in ["train/good", "test/good", "test/cut"][: 3 if number < 2 else 1]:
            path = tmp_path / "data" / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(90, 110, (32, 32, 3)).astype("uint8")).save(path)
    return tmp_path / "data"


def test_the_recipe_trains_measures_and_saves_both_files(data, tmp_path, capsys):
    arguments = [str(data), "--output", str(tmp_path / "out")]
    load_script("train_mvtec").main(
        [*arguments, "--image-size", "32x32", "--epochs", "1", "--defects", "8"]
    )

    output = capsys.readouterr().out
    assert "image_auroc" in output
    assert "calibration" in output
    detector = keras.saving.load_model(tmp_path / "out" / "detector.keras")
    assert np.isfinite(detector.threshold)
    assert keras.saving.load_model(tmp_path / "out" / "model.keras").image_shape == (32, 32, 3)


def test_the_tuning_recipe_searches_and_saves_the_detector_of_the_best(data, tmp_path, capsys):
    arguments = [str(data), "--output", str(tmp_path / "out"), "--trials", "1", "--epochs", "1"]
    arguments += ["--defects", "8"]
    load_script("tune_mvtec").main([*arguments, "--image-size", "16x16", "--filters", "2"])

    output = capsys.readouterr().out
    assert "image_auroc" in output
    assert output.count("Score: ") == 1
    detector = keras.saving.load_model(tmp_path / "out" / "detector.keras")
    assert np.isfinite(detector.threshold)
    assert detector.model.filters == 2
