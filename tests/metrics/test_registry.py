"""A metric is added by its own class and one entry of the registry."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kerasad.evaluation import evaluate
from kerasad.metrics.histogram_metrics import HistogramMetric
from kerasad.metrics.registry import MEASURES, Measure, quality_measures, register
from kerasad.metrics.table import format_metrics_table, write_metrics
from kerasad.metrics.threshold_metrics import ThresholdMetric
from kerasad.report.sections import metrics_section


class BestAccuracy(HistogramMetric):
    """Share of images decided rightly, at the best threshold."""

    key = "image_accuracy_best"

    @staticmethod
    def from_counts(counts):
        right = tf.cumsum(counts.normal) + tf.cumsum(counts.anomalous, reverse=True, exclusive=True)
        every = tf.reduce_sum(counts.normal + counts.anomalous)
        return tf.where(every > 0, tf.reduce_max(right) / every, np.nan)


class FlaggedShare(ThresholdMetric):
    """Share of pixels above the threshold."""

    key = "flagged_share"
    totals = ("flagged", "every")

    def count(self, anomalous, flagged, weights):
        return [tf.reduce_sum(tf.where(flagged, weights, 0.0)), tf.reduce_sum(weights)]

    def result(self):
        return self.ratio(self.flagged, self.every)


@pytest.fixture
def _registered(monkeypatch):
    for measure in (
        Measure(BestAccuracy.key, "accuracy, best", "its meaning", "image", BestAccuracy),
        Measure(
            FlaggedShare.key,
            "flagged",
            "share of pixels",
            "pixel",
            FlaggedShare,
            digits=1,
            larger_is_better=False,
        ),
    ):
        monkeypatch.setitem(MEASURES, measure.name, measure)


class Detector:
    """The map is the first channel, the score its maximum."""

    threshold = 0.5
    pixel_threshold = 0.5
    image_size = (2, 2)
    region = None

    def predict_stream(self, dataset, verbose=0, title=""):
        for images, targets in dataset:
            maps = images.numpy()[..., :1]
            yield {"anomaly_map": maps, "anomaly_score": maps.max((1, 2, 3))}, images, targets

    def calibration_summary(self):
        rate = {"requested": 0.05, "expected": 0.05, "guaranteed": 0.05}
        return {"false_alarm_rate": {**rate, "interval_95": [0.01, 0.1]}}


@pytest.mark.usefixtures("_registered")
def test_a_registered_metric_is_in_metrics_json_the_table_and_the_report(tmp_path):
    images = np.zeros((4, 2, 2, 3), "float32")
    images[:3, 0, 0] = np.array([0.2, 0.8, 0.9]).reshape(3, 1)
    targets = {
        "mask": images[..., :1] > 0.7,
        "has_mask": np.ones(4, bool),
        "label": np.array([1, 0, 1, 0]),
        "index": np.arange(4),
    }
    data = tf.data.Dataset.from_tensor_slices((images, targets)).batch(3)
    metrics = evaluate(Detector(), data, timing_batches=0, verbose=0)
    write_metrics(tmp_path / "metrics.json", metrics)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["image_accuracy_best"] == 0.75  # all but the good one at .8
    assert written["flagged_share"] == 2 / 16

    table = format_metrics_table(metrics).split("\n\n")[1]
    lines = {line.split()[0]: line.split() for line in table.splitlines()}
    assert lines["image_accuracy_best"][1] == "0.750"
    assert lines["flagged_share"][1] == "0.1"
    rows = metrics_section(metrics).tables[0]["rows"]
    assert ("accuracy, best: its meaning", "0.750", "") in rows


def test_every_metric_is_in_the_registry_under_its_key():
    for measure in quality_measures():
        assert measure.metric.key == measure.name
        assert measure.larger_is_better


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="aupro"):
        register(MEASURES["aupro"])
