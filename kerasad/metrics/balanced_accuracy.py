"""How often the decision is right, both kinds of image weighing the same."""

import keras
from keras import ops

from kerasad.metrics.threshold_metric import ThresholdMetric


@keras.saving.register_keras_serializable(package="kerasad")
class BalancedAccuracy(ThresholdMetric):
    """Mean of the share of defective images flagged and the share of good ones passed.

    `(TP / P + TN / N) / 2`, flagged = strictly above `threshold`. NaN unless good and defective
    images came. `update_state(label, anomaly_score)`, both (B,).

    Args:
        threshold: float. Of the score, such as the detector's `threshold`.
        name: str.
        dtype: dtype of the result.
    """

    totals = ("true_positives", "positives", "true_negatives", "negatives")

    def __init__(self, threshold: float, name: str = "balanced_accuracy", dtype=None):
        super().__init__(threshold, name=name, dtype=dtype)

    def count(self, anomalous, flagged, weights):
        """Returns the weight of each of `totals` in the batch."""
        good, passed = ops.logical_not(anomalous), ops.logical_not(flagged)
        parts = (
            ops.logical_and(anomalous, flagged),
            anomalous,
            ops.logical_and(good, passed),
            good,
        )
        return [ops.sum(ops.where(part, weights, 0.0)) for part in parts]

    def result(self):
        """Returns the balanced accuracy: scalar in [0, 1], or NaN."""
        sensitivity = self.ratio(self.true_positives, self.positives)
        specificity = self.ratio(self.true_negatives, self.negatives)
        return 0.5 * (sensitivity + specificity)
