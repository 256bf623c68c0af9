import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_curve as exact_roc_curve

from kerasad.metrics import ImageMetrics, PixelMetrics
from kerasad.metrics.curves import area_under_pro, area_under_roc, pro_curve, roc_curve


def test_areas_of_perfect_scores_never_exceed_1():
    # Shares of 1 / n add up to a little more than 1 for some n.
    one = tf.constant(1.0, "float64")
    for count in range(2, 120):
        normal = np.concatenate([np.ones(5), np.zeros(count)])
        anomalous = np.concatenate([np.zeros(5), np.ones(count)])
        shares = anomalous / count
        assert float(area_under_roc(normal, anomalous)) <= 1.0
        assert float(area_under_pro(normal, shares, one, 0.3)) <= 1.0


def roc_of(labels, scores):
    """The curve without the bins in which there is no score."""
    metric = ImageMetrics()
    metric.update_state(labels, scores)
    counts = metric.counts()
    curve = np.stack(roc_curve(counts.normal, counts.anomalous))
    return np.unique(curve, axis=1)


def test_roc_of_scores_by_hand():
    # above .8: the 1; from .4 on: both ones of three, and one of two zeros; the rest at .1
    false, true = roc_of([0, 1, 0, 1, 1], [0.4, 0.8, 0.1, 0.4, 0.1])
    np.testing.assert_allclose(false, [0, 0, 1 / 2, 1])
    np.testing.assert_allclose(true, [0, 1 / 3, 2 / 3, 1])


def test_roc_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 200), rng.integers(0, 40, 200) / 7
    false, true = roc_of(labels, scores)
    expected = exact_roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(false, expected[0])
    np.testing.assert_allclose(true, expected[1])


def test_curves_enclose_the_areas_that_the_metric_reports():
    rng = np.random.default_rng(1)
    mask = np.zeros((4, 16, 16, 1), "float32")
    mask[0, 2:5, 3:9] = mask[1, 8:14, 1:4] = mask[1, 1:3, 10:15] = 1.0
    anomaly_map = rng.normal(size=mask.shape).astype("float32") + mask
    metric = PixelMetrics(fpr_limit=1.0)
    metric.update_state(mask, anomaly_map)
    counts = metric.counts()

    false, true = roc_curve(counts.normal, counts.anomalous)
    assert np.trapezoid(true, false) == pytest.approx(float(metric.result()["pixel_auroc"]))
    false, overlap = pro_curve(counts.normal, counts.region_shares, counts.num_regions)
    assert np.trapezoid(overlap, false) == pytest.approx(float(metric.result()["aupro"]))
    assert float(overlap[-1]) == pytest.approx(1.0)
