"""Small detectors, their SavedModels, and a run that the command line exported."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image

from kerasad import VAEGAN, AnomalyDetector
from kerasad.cli import main
from kerasad.data.decoding import Decoding
from kerasad.detector.experts import CellGaussian, PixelResidual, SSIMResidual
from kerasad.export.execution import SessionModel
from kerasad.export.signatures import build_served

SIDE = 32
PIXEL_LIMIT = 10_000
OPTIONS = {
    "plain": {},
    "tiled": {"image_size": (40, 56), "overlap": 8},
    "padded": {"keep_aspect": True},
    "region": {"keep_aspect": True, "roi": np.pad(np.ones((16, 16)), 8)},
}


def draw_images(count, height, width, seed=0):
    """Stripes with noise, float32 in [0, 1]."""
    generator = np.random.default_rng(seed)
    rows = 0.5 + 0.2 * np.sin(np.arange(height) / 3)[None, :, None, None]
    noise = generator.normal(0, 0.03, (count, height, width, 3))
    return np.clip(rows + noise, 0, 1).astype("float32")


def make_detector(name):
    model = VAEGAN((SIDE, SIDE, 3), filters=4, depth=2, latent_dim=4, embedding_dim=8, seed=0)
    experts = [
        PixelResidual(name="residual", position_free=True),
        SSIMResidual(7, name="ssim", position_free=True),
        CellGaussian("encoder_features", 4, seed=5, name="gaussian", position_free=True),
    ]
    detector = AnomalyDetector(model, experts, **OPTIONS[name])

    def batches(count, size, seed):
        return tf.data.Dataset.from_tensor_slices(draw_images(count, *size, seed)).batch(4)

    detector.adapt(
        batches(6, (SIDE, SIDE), 0), batches(4, detector.image_size, 1), num_defects=8, verbose=0
    )
    good = batches(9, detector.image_size, 2)
    detector.calibrate(good, false_alarm_rate=0.2, review_rate=0.5, verbose=0)
    return detector


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Function of a name in `OPTIONS` that returns a detector, its SavedModel and a session."""
    made = {}

    def make(name):
        if name not in made:
            detector = make_detector(name)
            folder = tmp_path_factory.mktemp("served") / name
            module, signatures = build_served(detector, Decoding(pixel_limit=PIXEL_LIMIT))
            tf.saved_model.save(module, str(folder), signatures=signatures)
            made[name] = SimpleNamespace(
                detector=detector, folder=folder, session=SessionModel(folder)
            )
        return made[name]

    return make


@pytest.fixture(scope="session")
def encode():
    """Function of float pixels that returns an image file, `kind` PNG or JPEG."""

    def make(pixels, kind="PNG", **options):
        file = io.BytesIO()
        picture = Image.fromarray(np.round(pixels * 255).astype("uint8"))
        picture.save(file, kind, **options)
        return file.getvalue()

    return make


@pytest.fixture(scope="session")
def images():
    """Function of count, height, width and seed that returns float32 images."""
    return draw_images


def run_verb(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def verb():
    """Function that runs a verb of the command line."""
    return run_verb


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A tiny run, trained by the command line on 12 pictures, one of which became a TIFF."""
    root = tmp_path_factory.mktemp("run")
    (root / "plates").mkdir()
    for number, image in enumerate(draw_images(12, SIDE, SIDE)):
        picture = Image.fromarray(np.round(image * 255).astype("uint8"))
        picture.save(root / "plates" / f"{number:02d}.{'tiff' if number == 3 else 'png'}")
    config = {
        "data": {"image_size": "32", "batch_size": 4, "split": [0.4, 0.1, 0.5]},
        "model": {"name": "vae_gan", "arguments": {"filters": 4, "depth": 2, "latent_dim": 4}},
        "training": {"epochs": 1, "false_alarm_rate": 0.34},
    }
    (root / "tiny.json").write_text(json.dumps(config))
    result = run_verb(
        "train", root / "plates", "--output", root / "run", "--config", root / "tiny.json"
    )
    assert result.exit_code == 0, result.output + str(result.exception)
    return root / "run"


@pytest.fixture(scope="session")
def published(run, tmp_path_factory):
    """The version folder that `kerasad export` wrote, and what it said."""
    base = tmp_path_factory.mktemp("models") / "plates"
    result = run_verb("export", run, "--output", base)
    assert result.exit_code == 0, result.output + str(result.exception)
    return SimpleNamespace(version=base / "1", output=result.output)
