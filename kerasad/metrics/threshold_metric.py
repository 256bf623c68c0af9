"""The base of metrics at one threshold."""

import keras
from keras import ops

from kerasad.metrics.inputs import align_inputs


class ThresholdMetric(keras.metrics.Metric):
    """Sums over batches what a subclass counts; flagged means strictly above the threshold.

    A subclass names its sums in `totals` and returns a batch's share of each from
    `count(anomalous, flagged, weights)`, in the same order.

    Args:
        threshold: float. In the units of the scores.
        name: str.
        dtype: dtype of the result; counting is always done in float64.
    """

    totals = ()

    def __init__(self, threshold: float, name: str | None = None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.threshold = float(threshold)
        for total in self.totals:
            setattr(self, total, self.add_variable((), "zeros", dtype="float64", name=total))

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch.

        Args:
            y_true: labels of the shape of `y_pred`, above 0.5 = anomalous.
            y_pred: float scores `(batch,)` or maps `(batch, height, width, 1)`.
            sample_weight: optional weights >= 0; for maps `valid`, 0 = padding.
        """
        anomalous, scores, weights = align_inputs(y_true, y_pred, sample_weight)
        parts = self.count(anomalous, scores > self.threshold, weights)
        for variable, part in zip(self.variables, parts, strict=True):
            variable.assign_add(part)

    def merge_state(self, metrics):
        """Adds the sums of other metrics of the same kind, for instance one of each worker."""
        for metric in metrics:
            for variable, other in zip(self.variables, metric.variables, strict=True):
                variable.assign_add(other)

    def ratio(self, numerator, denominator):
        """Returns `numerator / denominator` in the metric's dtype, NaN where that is 0 / 0."""
        safe = ops.where(denominator > 0, denominator, 1.0)
        ratio = ops.where(denominator > 0, numerator / safe, float("nan"))
        return ops.cast(ratio, self.dtype)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "threshold": self.threshold}
