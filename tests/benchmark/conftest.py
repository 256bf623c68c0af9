"""Small categories, and rows as a training would leave them."""

import numpy as np
import pytest
from helpers import TINY_MODEL
from PIL import Image

from kerasad.benchmark.folder import DONE
from kerasad.benchmark.measuring import METRICS
from kerasad.benchmark.table import COSTS
from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig


def write_category(root, seed=0):
    """A category of 32 x 32 pictures: 10 good ones, and 2 good and 2 burnt ones for tests."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(80, 140, 32)[:, None, None]
    parts = ["train/good"] * 10 + ["test/good"] * 2 + ["test/burn"] * 2
    for number, part in enumerate(parts):
        pixels = rows + rng.normal(0, 6, (32, 32, 3))
        if part == "test/burn":
            pixels[8:16, 10:22] = 250
            mask = np.zeros((32, 32), "uint8")
            mask[8:16, 10:22] = 255
            write_image(root / f"ground_truth/burn/{number:03d}_mask.png", mask)
        write_image(root / part / f"{number:03d}.png", np.clip(pixels, 0, 255).astype("uint8"))
    return root


def write_image(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="session")
def categories(tmp_path_factory):
    """A folder with the categories bottle and plate, and a folder that is none."""
    root = tmp_path_factory.mktemp("data")
    write_category(root / "bottle", 1)
    write_category(root / "plate", 2)
    (root / "licence").mkdir()
    return root


@pytest.fixture
def config(categories):
    """RunConfig with all that is large kept small."""
    return RunConfig(
        DataConfig(str(categories / "plate"), image_size="32x32", batch_size=4),
        ModelConfig("vae_gan", TINY_MODEL),
        TrainingConfig(epochs=1, false_alarm_rate=0.34, synthetic_defects=8),
    )


@pytest.fixture
def make_row():
    """Function of a PlannedRow and values: a finished row."""

    def make(planned, **values):
        return {
            **planned.identity,
            "name": planned.name,
            "status": DONE,
            **dict.fromkeys((*METRICS, *COSTS), 0.5),
            "image_size": [32, 32],
            "milliseconds_batch_size": 4,
            "train_images": 7,
            "good_images": 10,
            "notes": {},
            **values,
            "images": planned.images,
            "settings": planned.settings,
        }

    return make
