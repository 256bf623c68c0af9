"""Small trees of images and masks, in whatever layout a test writes."""

import itertools

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_images(tmp_path, noise):
    """Writes different images of 24 x 32 pixels: `write_images("train/good/1.png", ...)`."""
    seeds = itertools.count()

    def write(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise(32, 24, next(seeds))).save(path)

    return write


@pytest.fixture
def write_masks(tmp_path):
    """Writes masks: `write_masks("ground_truth/1.png", ..., value=255)`; empty with `value=0`."""

    def write(*names, value=255):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            mask = np.zeros((32, 24), "uint8")
            mask[4:8, 3:20] = value
            Image.fromarray(mask).save(path)

    return write


@pytest.fixture
def summary():
    """What an index holds, by part and kind: {("train", "good"): 5, ("test", "dent"): 2, ...}."""

    def summarize(index):
        counts = {}
        for record in (*index.good, *index.test):
            key = (record.part or "any", record.defect)
            counts[key] = counts.get(key, 0) + 1
        return counts

    return summarize


@pytest.fixture
def draw(write_images, tmp_path):
    """Writes images below the folder `shop` and returns it; `"ok/5"` writes five to `ok`."""

    def make(*names):
        for name in names:
            folder, _, last = name.rpartition("/")
            many = [f"{folder}/{n}.png" for n in range(int(last))] if last.isdigit() else [name]
            write_images(*(f"shop/{path}" for path in many))
        return tmp_path / "shop"

    return make


@pytest.fixture
def draw_masks(write_masks, tmp_path):
    """Writes masks to paths in `tmp_path`."""

    def make(*paths):
        write_masks(*(path.relative_to(tmp_path).as_posix() for path in paths))

    return make
