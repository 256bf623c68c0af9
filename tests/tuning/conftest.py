"""A category of small pictures, and models as small as they may be."""

import numpy as np
import pytest
from helpers import TINY_MODEL
from PIL import Image

from kerasad.training.config import ModelConfig


@pytest.fixture(scope="session")
def small():
    """ModelConfig with all that is large kept small."""
    return ModelConfig("vae_gan", TINY_MODEL)


@pytest.fixture(scope="session")
def plate(tmp_path_factory):
    """Folder in MVTec layout: 12 good pictures of 16 x 16 pixels, and a good one for tests."""
    root = tmp_path_factory.mktemp("data") / "plate"
    rows = np.linspace(80, 140, 16)[:, None, None]
    for number in range(13):
        pixels = rows + np.random.default_rng(number).normal(0, 6, (16, 16, 3))
        path = root / ("test/good" if number == 12 else "train/good") / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")).save(path)
    return root
