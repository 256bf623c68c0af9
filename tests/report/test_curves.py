import numpy as np
import pytest
from sklearn.metrics import roc_curve

from kerasad.metrics import PixelMetrics
from kerasad.report.curves import pro_from_counts, roc_from_counts, roc_from_scores, thin


def test_roc_of_scores_by_hand():
    # above .8: the 1; from .4 on: both ones of three, and one of two zeros; the rest at .1
    false, true = roc_from_scores(np.array([0, 1, 0, 1, 1]), np.array([0.4, 0.8, 0.1, 0.4, 0.1]))
    np.testing.assert_allclose(false, [0, 0, 1 / 2, 1])
    np.testing.assert_allclose(true, [0, 1 / 3, 2 / 3, 1])


def test_roc_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 200), rng.integers(0, 40, 200) / 7
    false, true = roc_from_scores(labels, scores)
    expected = roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(false, expected[0])
    np.testing.assert_allclose(true, expected[1])


def test_curves_enclose_the_areas_that_the_metric_reports():
    rng = np.random.default_rng(1)
    mask = np.zeros((4, 16, 16, 1), "float32")
    mask[0, 2:5, 3:9] = mask[1, 8:14, 1:4] = mask[1, 1:3, 10:15] = 1.0
    anomaly_map = rng.normal(size=mask.shape).astype("float32") + mask
    metric = PixelMetrics(fpr_limit=1.0)
    metric.update_state(mask, anomaly_map)
    normal, anomalous, shares = (np.asarray(counts) for counts in metric.counts())

    false, true = roc_from_counts(normal, anomalous)
    assert np.trapezoid(true, false) == pytest.approx(float(metric.result()["pixel_auroc"]))
    false, overlap = pro_from_counts(normal, shares, float(metric.num_regions))
    assert np.trapezoid(overlap, false) == pytest.approx(float(metric.result()["aupro"]))
    assert overlap[-1] == pytest.approx(1.0)


def test_thinning_keeps_the_shape_and_both_ends():
    false = np.linspace(0, 1, 50_000) ** 6
    true = np.linspace(0, 1, 50_000)
    thin_false, thin_true = thin(false, true, points=300)
    assert len(thin_false) <= 301
    assert (thin_false[0], thin_true[0], thin_false[-1], thin_true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(thin_true, thin_false) == pytest.approx(np.trapezoid(true, false), abs=1e-3)


def test_short_curves_are_left_alone():
    np.testing.assert_array_equal(thin(np.array([0.0, 0.5, 1.0]))[0], [0.0, 0.5, 1.0])
