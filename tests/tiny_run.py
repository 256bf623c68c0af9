"""Fixtures of a category of small pictures, and of a run trained on it once for all processes.

A room's `conftest.py` imports those that it needs.
"""

import hashlib
import os
import shutil
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from command_line import must, write_image
from helpers import TINY_MODEL
from PIL import Image

from kerasad import AnomalyDetector
from kerasad.files import replace_file, write_json
from kerasad.locks import locked

TINY = {
    "data": {"image_size": "32", "batch_size": 4},
    "model": {"name": "vae_gan", "arguments": TINY_MODEL},
    "training": {"epochs": 1, "false_alarm_rate": 0.34, "synthetic_defects": 8},
}


_OPENED: dict[bytes, tuple] = {}
_OPEN = keras.saving.load_model


def open_once(path, **options):
    """Opens a file as Keras does; a detector that is open already gets the state of its file back.

    To build the same networks anew, and to trace them anew, would be most of the work of this room.
    """
    content = hashlib.sha256(Path(path).read_bytes()).digest()
    if content not in _OPENED:
        found = _OPEN(path, **options)
        if not isinstance(found, AnomalyDetector):
            return found
        _OPENED[content] = found, found.get_weights(), found.provenance
    detector, weights, provenance = _OPENED[content]
    detector.set_weights(weights)
    detector.record_images(provenance)
    return detector


@pytest.fixture(scope="module")
def detectors_opened_once():
    """Opens each detector once for all tests of a file; no two of them may be used at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.saving, "load_model", open_once)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder that all processes of the tests share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def trained(shared):
    """A run on `data`, which no test may change; `output.txt` beside it has what was printed."""
    path, output = shared / "run", shared / "output.txt"
    while not output.exists():
        with locked(shared) as is_ours:
            if is_ours and not output.exists():
                write_category(shared / "plate")
                write_json(shared / "tiny.json", TINY)
                words = ["--config", shared / "tiny.json", "--seed", 3]
                result = must("train", shared / "plate", "--output", path, *words)
                with replace_file(output) as work:
                    work.write_text(result.output)
        time.sleep(0.1)
    return path


@pytest.fixture(scope="session")
def data(trained):
    """A category: 10 good pictures, and 2 good and 3 defective ones for tests."""
    return trained.with_name("plate")


@pytest.fixture(scope="session")
def config(trained):
    """The file of a configuration that trains in seconds."""
    return trained.with_name("tiny.json")


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run that a test may change."""
    return shutil.copytree(trained, tmp_path / "run")


def write_category(root):
    spot = np.s_[8:16, 10:22]
    for number in range(10):
        write_image(root / f"train/good/{number:03d}.png", number)
    for number in range(2):
        write_image(root / f"test/good/{number:03d}.png", 100 + number)
    mask = np.zeros((32, 32), "uint8")
    mask[spot] = 255
    for number in range(3):
        write_image(root / f"test/burn/{number:03d}.png", 200 + number, spot)
        path = root / f"ground_truth/burn/{number:03d}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
