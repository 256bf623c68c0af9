import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from kerasad.metrics import ImageF1Max, OracleIoU, PixelF1Max


def exact_f1_max(labels, scores):
    precision, recall, _ = precision_recall_curve(labels.ravel(), scores.ravel())
    total = precision + recall
    return np.max(2 * precision * recall / np.where(total > 0, total, 1))


def test_best_f1_by_hand():
    # From above: 9 (bad), 4 (good), 1 and 1 (bad, good), -5 (bad), -6 (good)
    # F1:        2/(1+3)  2/(2+3)    4/(4+3)              6/(5+3)  6/(6+3)
    metric = ImageF1Max()
    metric.update_state([0, 1, 1, 0, 1, 0], [4.0, 9.0, 1.0, 1.0, -5.0, -6.0])
    assert float(metric.result()) == pytest.approx(6 / 8)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_best_f1_of_pixels_agrees_with_scikit_learn(offset):
    generator = np.random.default_rng(1)
    mask = generator.random((4, 150, 200, 1)) < 0.03
    scores = (generator.normal(size=mask.shape) + 2.0 * mask + offset).astype("float32")
    metric = PixelF1Max(dtype="float64")
    metric.update_state(mask, scores)
    assert float(metric.result()) == pytest.approx(exact_f1_max(mask, scores), abs=1e-4)


def test_oracle_iou_is_the_best_over_all_thresholds():
    generator = np.random.default_rng(2)
    mask = generator.random((2, 9, 7, 1)) < 0.3
    scores = np.round(generator.normal(size=mask.shape) + mask, 1).astype("float32")
    naive = max(
        np.sum(mask & (scores >= t)) / np.sum(mask | (scores >= t)) for t in np.unique(scores)
    )
    metric = OracleIoU(dtype="float64")
    metric.update_state(mask, scores)
    assert float(metric.result()) == pytest.approx(naive, abs=1e-12)
