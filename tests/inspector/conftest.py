"""What answers for pictures, small enough to know every number of; and the tiny run."""

import io
from pathlib import Path

import numpy as np
import pytest
from command_line import write_image
from PIL import Image
from starlette.testclient import TestClient
from tiny_run import data, detectors_opened_once, run, shared, trained

from kerasad.data.decoding import Decoding
from kerasad.data.geometry import Geometry
from kerasad.inspector.app import make_app
from kerasad.inspector.session import Session
from kerasad.overlay import ColourScale
from kerasad.report.page import pack
from kerasad.runs.prediction import find_regions

__all__ = ["data", "detectors_opened_once", "run", "shared", "trained"]

SECRET = "a-secret"
LIMIT = 10_000


class BrightnessSource:
    """Takes what is brighter than grey for a defect."""

    path = Path("/photos/bottle")
    kind = "saved_model"
    run = None
    decoding = Decoding(pixel_limit=LIMIT)
    geometry = Geometry(32, 48)
    scale = ColourScale(2.0)
    requested_rate = 0.05
    known = None

    def predict(self, opened):
        anomaly_map = 10.0 * (opened.inputs[0].mean(axis=-1) - 0.5)
        score = float(anomaly_map.max())
        boxes = find_regions(anomaly_map, anomaly_map > 2.0)
        values = {"anomaly_score": score, "p_value": 0.25, "boxes": boxes}
        return {"anomaly_map": anomaly_map.astype("float32"), **values}

    def expert_maps(self, opened):
        return {"brightness": self.predict(opened)["anomaly_map"]}

    def describe(self):
        rest = {"rates": [], "ask": [], "experts": {"brightness": 1.0}, "guaranteed": False}
        texts = {
            "path": str(self.path),
            "name": "bottle",
            "model": "brightness",
            "promise": "",
            "note": None,
        }
        numbers = {"threshold": 3.0, "review": 3.0, "calibration": pack([], "float32")}
        return {**rest, **texts, **numbers, "hasScores": False}

    def part_of(self, content_hash):
        return self.known


def draw_file(kind="PNG", size=(48, 32), spot=None, dtype="uint8", **options):
    """Returns the bytes of an image file: grey, with a white spot (rows, columns) if asked for."""
    white = np.iinfo(dtype).max
    shape = (size[1], size[0], 3) if dtype == "uint8" else (size[1], size[0])
    pixels = np.full(shape, white // 2, dtype)
    if spot is not None:
        pixels[spot] = white
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def streaks(tmp_path):
    """Six pictures with a streak that the tiny run was not trained on."""
    for number in range(6):
        write_image(tmp_path / f"streaks/{number}.png", 500 + number, np.s_[4:6, 4:28])
    return sorted((tmp_path / "streaks").iterdir())


@pytest.fixture(scope="session")
def file():
    """Function that returns the bytes of an image file."""
    return draw_file


@pytest.fixture
def source():
    return BrightnessSource()


@pytest.fixture
def session(source):
    return Session(source)


@pytest.fixture
def ask(session):
    """A client of the application, at its secret address."""
    app = make_app(session, SECRET, lambda text: text.replace("`pixel_limit`", "--pixel-limit"))
    return TestClient(app, base_url=f"http://127.0.0.1:8000/{SECRET}/")
