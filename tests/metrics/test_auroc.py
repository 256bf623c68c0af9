import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kerasad.metrics import ImageAUROC, PixelAUROC


def pixel_auroc(mask, anomaly_map, **options):
    metric = PixelAUROC(dtype="float64", **options)
    metric.update_state(mask, anomaly_map)
    return float(metric.result())


def test_area_by_hand():
    #  scores      mask     of 3 x 3 pairs (normal below anomalous):
    # -3   7  2   0  1  0   7 beats -3, 2, 5, 0: 4 of 4 normal
    #  5   2  0   0  1  0   2 beats -3, 0 and ties with 2: 2.5 of 4
    anomaly_map = np.array([[-3.0, 7.0, 2.0], [5.0, 2.0, 0.0]], "float32").reshape(1, 2, 3, 1)
    mask = np.array([[0, 1, 0], [0, 1, 0]]).reshape(1, 2, 3, 1)
    assert pixel_auroc(mask, anomaly_map) == pytest.approx((4 + 2.5) / 8)


def test_image_scores_agree_with_scikit_learn():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 200)
    scores = (np.round(generator.normal(size=200), 1) + labels).astype("float32")  # with ties
    metric = ImageAUROC(dtype="float64")
    metric.update_state(labels, scores)
    assert float(metric.result()) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def distributions():
    """Scores of 300000 pixels: normal, narrow, tiny, heavy-tailed and with far outliers."""
    generator = np.random.default_rng(0)
    labels = generator.random(300_000) < 0.05
    shifted = generator.normal(size=labels.size) + 1.5 * labels
    share = 1.0 / (1.0 + np.exp(-shifted))
    powers = 10.0 ** generator.integers(-30, 30, labels.size)
    scores = {
        "normal": shifted,
        "from 1000.0 to 1000.5": 1000.0 + 0.5 * share,
        "from -0.001 to 0": -1e-3 * (1.0 - share),
        "near 1": 1.0 - 1e-3 * (1.0 - share),
        "heavy tail": np.exp(4.0 * shifted),
        "all powers": shifted * powers,
        "outliers": np.where(generator.random(labels.size) < 0.01, powers, 1.0 + 0.05 * share),
    }
    return labels, {name: values.astype("float32") for name, values in scores.items()}


@pytest.mark.parametrize("name", distributions()[1])
def test_binning_errs_by_less_than_one_in_a_million(name):
    labels, scores = distributions()
    labels, scores = labels.reshape(3, 1, -1, 1), scores[name].reshape(3, 1, -1, 1)
    exact = roc_auc_score(labels.ravel(), scores.ravel())
    assert pixel_auroc(labels, scores) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("change", [lambda s: 2.0 * s, lambda s: s / 8.0, lambda s: s - 4096.0])
def test_area_depends_on_the_order_alone(change):
    # Multiples of 1/64 below 64: the changes are exact in float32.
    generator = np.random.default_rng(0)
    scores = (generator.integers(-4096, 4096, (2, 50, 40, 1)) / 64.0).astype("float32")
    mask = generator.random(scores.shape) < 0.2 + 0.3 * (scores > 0)
    assert pixel_auroc(mask, change(scores)) == pixel_auroc(mask, scores)


def test_reversed_scores_give_the_complement():
    labels, scores = distributions()
    mask, scores = labels.reshape(1, 1, -1, 1), scores["near 1"].reshape(1, 1, -1, 1)
    assert pixel_auroc(mask, -scores) == pytest.approx(1.0 - pixel_auroc(mask, scores))


def test_infinite_scores_are_ordered_and_tie_with_each_other():
    metric = ImageAUROC()
    metric.update_state([0, 1, 0, 1], [-np.inf, np.inf, 3.0, 3.0])
    assert float(metric.result()) == (2 + 1.5) / 4
    metric.update_state([0], [np.inf])  # the infinite pair ties, the 3.0 loses to it
    assert float(metric.result()) == pytest.approx((2 + 1.5 + 0.5) / 6)


def test_minus_zero_ties_with_zero():
    metric = ImageAUROC()
    metric.update_state([0, 1], [-0.0, 0.0])
    assert float(metric.result()) == 0.5
