import numpy as np
import pytest

from kerasad.metrics import PerImageIoU, PooledIoU

MASKS = np.array(
    [
        [[1, 0, 0], [1, 1, 0]],
        [[0, 0, 0], [0, 0, 1]],
        [[0, 0, 0], [0, 0, 0]],
    ]
).reshape(3, 2, 3, 1)
MAPS = np.array(
    [
        [[2.0, 3.0, 0.0], [2.5, 2.0, 0.0]],
        [[0.0, 0.0, 0.0], [0.0, 9.0, 8.0]],
        [[0.0, 7.0, 0.0], [0.0, 0.0, 0.0]],
    ],
    "float32",
).reshape(3, 2, 3, 1)


def test_pooled_by_hand_counts_strictly_above_and_false_alarms_on_good_images():
    # Above 2: first image hits 1, misses 2, 1 false; second hits 1, 1 false; third 1 false.
    metric = PooledIoU(2.0)
    metric.update_state(MASKS, MAPS)
    assert float(metric.result()) == pytest.approx(2 / (2 + 2 + 3))


def test_per_image_by_hand_is_the_mean_over_defective_images():
    metric = PerImageIoU(2.0)
    metric.update_state(MASKS, MAPS)
    assert float(metric.result()) == pytest.approx((1 / 4 + 1 / 2) / 2)


def naive_ious(masks, maps, valid, threshold):
    intersections, unions, ratios = 0, 0, []
    for mask, anomaly_map, real in zip(masks, maps, valid, strict=True):
        both = either = positives = 0
        for is_bad, score, counts in zip(mask.flat, anomaly_map.flat, real.flat, strict=True):
            if counts:
                both += bool(is_bad) and score > threshold
                either += bool(is_bad) or score > threshold
                positives += bool(is_bad)
        intersections, unions = intersections + both, unions + either
        if positives:
            ratios.append(both / either)
    return intersections / unions, np.mean(ratios)


def test_both_agree_with_a_loop_over_pixels():
    generator = np.random.default_rng(3)
    masks = generator.random((5, 6, 8, 1)) < np.array([0.3, 0, 0.1, 0.5, 0]).reshape(5, 1, 1, 1)
    maps = (generator.normal(size=masks.shape) + masks).astype("float32")
    valid = (generator.random(masks.shape) < 0.7).astype("float32")
    pooled, mean = naive_ious(masks, maps, valid, 0.25)
    for kind, expected in ((PooledIoU, pooled), (PerImageIoU, mean)):
        metric = kind(0.25, dtype="float64")
        metric.update_state(masks, maps, sample_weight=valid)
        assert float(metric.result()) == pytest.approx(expected)
