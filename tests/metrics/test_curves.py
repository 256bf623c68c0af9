import numpy as np
import tensorflow as tf

from kerasad.metrics.curves import area_under_pro, area_under_roc


def test_areas_of_perfect_scores_never_exceed_1():
    # Shares of 1 / n add up to a little more than 1 for some n.
    one = tf.constant(1.0, "float64")
    for count in range(2, 120):
        normal = np.concatenate([np.ones(5), np.zeros(count)])
        anomalous = np.concatenate([np.zeros(5), np.ones(count)])
        shares = anomalous / count
        assert float(area_under_roc(normal, anomalous)) <= 1.0
        assert float(area_under_pro(normal, shares, one, 0.3)) <= 1.0
