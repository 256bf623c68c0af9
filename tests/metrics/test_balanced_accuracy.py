import pytest

from kerasad.metrics import BalancedAccuracy


def test_value_by_hand():
    # Defective: 5.0 is above 2, 2.0 and 1.0 are not. Good: 0.0 passes, 3.0 does not.
    metric = BalancedAccuracy(2.0)
    metric.update_state([1, 1, 1, 0, 0], [5.0, 2.0, 1.0, 0.0, 3.0])
    assert float(metric.result()) == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_threshold_is_compared_in_float32():
    # As a float64, 0.1 lies below the score; the detector compares in float32, where they tie.
    metric = BalancedAccuracy(0.1)
    metric.update_state([1, 0], [0.1, 0.1])
    assert float(metric.result()) == 0.5
