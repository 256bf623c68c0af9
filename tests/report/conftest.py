"""A detector and a category small enough to know every number of, without any training."""

from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

from kerasad.data.geometry import unpack_inputs
from kerasad.detector.decision import ConformalDecision
from kerasad.models.base import AnomalyModel
from kerasad.report.build import RunFacts, RunView, build_report
from kerasad.report.images import ShownImages
from kerasad.training.config import DataConfig, RunConfig

SIZE = (32, 48)


class BrightnessModel(AnomalyModel):
    """The mean of each colour at two places, under a name of choice."""

    image_shape = (*SIZE, 3)

    def __init__(self, name="z_mean"):
        super().__init__()
        self.tensor = name

    def tensors(self, images):
        halves = ops.stack(ops.split(images, 2, axis=2), axis=1)
        return {self.tensor: ops.mean(halves, axis=(2, 3))[:, None, :, :]}


class BrightnessDetector:
    """Takes what is brighter than grey for a defect; 20 calibration scores promise 1 in 21."""

    image_size = SIZE
    threshold = 3.0
    review_threshold = 3.0
    pixel_threshold = 2.0
    tiles = None
    region = None

    def __init__(self, tensor="z_mean", reconstructs=True):
        self.model = BrightnessModel(tensor)
        self.reconstructs = reconstructs
        self.experts = [SimpleNamespace(name="residual"), SimpleNamespace(name="inattention")]
        self.decision = ConformalDecision()
        self.decision.build()
        self.decision.calibrate(np.linspace(-1.0, 3.0, 20), 0.05)

    def calibration_summary(self):
        return self.decision.summary()

    def explain(self, inputs):
        images = ops.convert_to_tensor(unpack_inputs(inputs)[0])
        anomaly_map = 10.0 * (ops.mean(images, axis=-1, keepdims=True) - 0.5)
        return {
            "anomaly_map": anomaly_map,
            "expert_maps": ops.concatenate([anomaly_map, 0.5 * anomaly_map], axis=-1),
            "reconstruction": ops.full_like(images, 0.5) if self.reconstructs else None,
        }

    def predict_stream(self, dataset):
        for inputs, targets in dataset:
            images, _ = unpack_inputs(inputs)
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

    @property
    def content_hash(self):
        return f"hash of {self.relative_path}"


class Images:
    """What a report asks of a Category: images with a patch of its own brightness each."""

    image_shape = full_shape = (*SIZE, 3)
    name_bad_files = staticmethod(nullcontext)

    def __init__(self, records, brightness, batch_size=3):
        self.index = SimpleNamespace(test=records)
        self.batch_size = batch_size
        self.images, self.targets = make_images(brightness)
        self.train = [make_images([0.5] * 4, seed)[0] for seed in (7, 8)]
        self.split = SimpleNamespace(train=["some"])

    @property
    def test(self):
        return self.test_of(self.index.test)

    def test_of(self, records):
        rows = np.array([self.index.test.index(record) for record in records], int)
        batches = []
        for start in range(0, len(rows), self.batch_size):
            part = rows[start : start + self.batch_size]
            targets = {name: values[part] for name, values in self.targets.items()}
            targets["index"] = np.arange(start, start + len(part), dtype="int32")
            images = self.images
            if isinstance(images, dict):
                batches.append(({name: each[part] for name, each in images.items()}, targets))
            else:
                batches.append((images[part], targets))
        return batches


def make_images(brightness, seed=0):
    """Grey images; each has a patch of its own brightness, which is the defect's mask."""
    count = len(brightness)
    images = np.full((count, *SIZE, 3), 0.5, "float32")
    images += 0.01 * np.random.default_rng(seed).random(images.shape).astype("float32")
    mask = np.zeros((count, *SIZE, 1), "float32")
    for image, area, value in zip(images, mask, brightness, strict=True):
        image[4:12, 6:20] = value
        area[4:12, 6:20] = value > 0.6
    targets = {
        "mask": mask,
        "has_mask": np.ones(count, bool),
        "label": (mask.max(axis=(1, 2, 3)) > 0).astype("int32"),
    }
    return images, targets


METRICS = {
    "image_auroc": 0.875,
    "threshold": 3.0,
    "pixel_auroc": 0.93,
    "aupro": None,
    "iou_oracle": 0.5,
    "iou_pooled": 0.2,
    "false_alarm_rate": {"requested": 0.05, "guaranteed": 0.0476, "observed": 0.0},
    "intervals_95": {"image_auroc": [0.7, 1.0], "false_alarm_rate": [0.0, 0.1684]},
    "per_defect": {"cut": {"num_images": 2, "image_auroc": 1.0}},
    "image_size": [32, 48],
    "notes": {"aupro": "no mask, <script>alert(1)</script>"},
}
HISTORY = {
    "epoch": [1, 2],
    "loss": [2.0, 1.0],
    "encoder_loss": [1.0, 0.5],
    "val_encoder_loss": [2.0, 1.5],
    "discriminator_loss": [0.7, 0.6],
    "synthetic_iou": [0.1, 0.3],
    "seconds": [3.0, 3.0],
}


@pytest.fixture(scope="session")
def make_facts():
    def make(detector, name="bottle", metrics=METRICS, **options):
        return RunFacts(
            name=name,
            path=f"runs/{name}",
            config=RunConfig(DataConfig("photos/bottle")),
            calibration={
                **detector.calibration_summary(),
                "experts": {"residual": {"weight": 0.25, "score_weight": 0.5}},
            },
            metrics=metrics,
            split_sizes={"train": 7},
            **options,
        )

    return make


@pytest.fixture
def build(make_facts):
    """A function that returns the `Report` of one run."""

    def build(detector, category=None, facts=None, history=lambda: HISTORY, **options):
        def load_images():
            if category is None:
                raise no_folder()
            return ShownImages(category, **options)

        return build_report(
            [RunView(facts or make_facts(detector), detector, load_images, history)]
        )

    return build


def no_folder():
    from kerasad.errors import InputError

    return InputError("photos/bottle: there is no such folder.")


@pytest.fixture(scope="session")
def make_detector():
    return BrightnessDetector


@pytest.fixture
def detector():
    return BrightnessDetector()


@pytest.fixture(scope="session")
def make_category():
    """A function of brightnesses and, if wanted, names such as `test/cut/000.png`."""

    def make(brightness, names=None, **options):
        kinds = ["good" if value <= 0.6 else "cut" for value in brightness]
        names = names or [f"test/{kind}/{i:03d}.png" for i, kind in enumerate(kinds)]
        records = [
            Record(name, int(value > 0.6), name.split("/")[1])
            for name, value in zip(names, brightness, strict=True)
        ]
        return Images(records, brightness, **options)

    return make


@pytest.fixture
def category(make_category):
    """Six test images in two batches: three good ones, one found, one missed, one without mask."""
    kinds = ["good/000", "good/001", "cut/000", "cut/001", "stain/000", "good/002"]
    names = [f"test/{kind}.png" for kind in kinds]
    made = make_category([0.5, 0.55, 1.0, 0.7, 0.9, 0.45], names)
    made.targets["has_mask"][4] = False
    made.targets["mask"][4] = 0.0
    return made
