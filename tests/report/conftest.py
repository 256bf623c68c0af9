"""A detector and a category small enough to know every number of, without any training."""

from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

from kerasad.models.base import AnomalyModel

SIZE = (32, 48)


class BrightnessModel(AnomalyModel):
    """The mean of each colour at two places, under a name of choice."""

    image_shape = (*SIZE, 3)

    def __init__(self, name="z_mean"):
        super().__init__()
        self.tensor = name

    def tensors(self, images):
        halves = ops.stack(ops.split(images, 2, axis=2), axis=1)
        return {self.tensor: ops.mean(halves, axis=(2, 3))[:, :, None, :]}


class BrightnessDetector:
    """Takes what is brighter than grey for a defect."""

    image_size = SIZE
    threshold = 3.0
    review_threshold = 3.0
    pixel_threshold = 2.0
    tiles = None

    def __init__(self, tensor="z_mean", reconstructs=True):
        self.model = BrightnessModel(tensor)
        self.reconstructs = reconstructs

    def reconstruct(self, inputs):
        if not self.reconstructs:
            return None
        return np.full_like(inputs["images"] if isinstance(inputs, dict) else inputs, 0.5)

    def predict_stream(self, dataset):
        for inputs, targets in dataset:
            images = inputs["images"] if isinstance(inputs, dict) else inputs
            anomaly_map = 10 * (images.mean(axis=-1, keepdims=True) - 0.5)
            score = anomaly_map.max(axis=(1, 2, 3))
            count = len(images)
            outputs = {
                "anomaly_map": anomaly_map,
                "anomaly_score": score,
                "p_value": 1 / (1 + np.maximum(score, 0)),
                "is_anomalous": score > self.threshold,
                "needs_review": (score > self.review_threshold) & (score <= self.threshold),
                "threshold": np.full(count, self.threshold),
                "pixel_threshold": np.full(count, self.pixel_threshold),
            }
            yield outputs, inputs, targets


@dataclass(frozen=True)
class Record:
    relative_path: str
    label: int
    defect: str


def make_batch(brightness, first):
    """Grey images; each has a patch of its own brightness, which is the defect's mask."""
    count = len(brightness)
    images = np.full((count, *SIZE, 3), 0.5, "float32")
    images += 0.01 * np.random.default_rng(first).random(images.shape).astype("float32")
    mask = np.zeros((count, *SIZE, 1), "float32")
    for image, area, value in zip(images, mask, brightness, strict=True):
        image[4:12, 6:20] = value
        area[4:12, 6:20] = value > 0.6
    label = (mask.max(axis=(1, 2, 3)) > 0).astype("int32")
    targets = {
        "mask": mask,
        "has_mask": np.ones(count, bool),
        "label": label,
        "index": np.arange(first, first + count, dtype="int32"),
    }
    return images, targets


@pytest.fixture
def make_detector():
    return BrightnessDetector


@pytest.fixture
def detector():
    return BrightnessDetector()


@pytest.fixture
def category():
    """Six test images in two batches: three good ones, one found, one missed, one without mask."""
    batches = [make_batch([0.5, 0.55, 1.0], 0), make_batch([0.7, 0.9, 0.45], 3)]
    batches[1][1]["has_mask"][1] = False
    batches[1][1]["mask"][1] = 0.0
    names = ["good/000", "good/001", "cut/000", "cut/001", "stain/000", "good/002"]
    records = [
        Record(f"test/{name}.png", int(not name.startswith("good")), name.split("/")[0])
        for name in names
    ]
    return SimpleNamespace(
        test=batches,
        train=[make_batch([0.5] * 4, seed)[0] for seed in (7, 8)],
        index=SimpleNamespace(test=records),
        name_bad_files=nullcontext,
        split=SimpleNamespace(train=["some"]),
        image_shape=(*SIZE, 3),
        full_shape=(*SIZE, 3),
    )
