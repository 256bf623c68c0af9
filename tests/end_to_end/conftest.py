"""A category of small pictures that the whole program is tried on."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A category of pictures of two aspect ratios, and defects that are easy to see."""
    root = tmp_path_factory.mktemp("data") / "plate"
    for name, count in (("train/good", 10), ("test/good", 2), ("test/burn", 2)):
        for number in range(count):
            rng = np.random.default_rng([count, number])
            width = 64 if number % 2 else 40
            pixels = np.linspace(80, 140, 64)[:, None, None] + rng.normal(0, 6, (64, width, 3))
            mask = np.zeros((64, width), "uint8")
            if name == "test/burn":
                mask[16:40, 8:32] = 255
                pixels[mask > 0] = 250 * rng.random((24 * 24, 3))
                path = root / f"ground_truth/burn/{number:03d}_mask.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(path)
            path = root / name / f"{number:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.clip(pixels, 0, 255).astype("uint8")).save(path)
    return root
