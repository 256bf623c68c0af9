"""Metrics at one threshold, such as that of a calibrated detector."""

import keras
from keras import ops

from kerasad.metrics.inputs import align_inputs


class ThresholdMetric(keras.metrics.Metric):
    """Adds up over batches what a subclass counts; flagged means strictly above the threshold.

    A subclass defines `key` (its name in `metrics.json`), the names of its sums in `totals`, and
    `count(anomalous, flagged, weights)`, which returns a batch's share of each, in the same order.

    Args:
        threshold: float. In the units of the scores.
        name: str. Defaults to `key`.
        dtype: dtype of the result; counting is always done in float64.
    """

    key: str | None = None
    totals: tuple[str, ...] = ()

    def __init__(self, threshold: float, name: str | None = None, dtype=None):
        super().__init__(name=name or self.key, dtype=dtype)
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


@keras.saving.register_keras_serializable(package="kerasad")
class BalancedAccuracy(ThresholdMetric):
    """Mean of the share of defective images flagged and the share of good ones passed.

    `(TP / P + TN / N) / 2`, so that both kinds of image weigh the same. NaN unless good and
    defective images came. `update_state(label, anomaly_score)`, both (B,). Arguments are those of
    `ThresholdMetric`.
    """

    key = "balanced_accuracy"
    totals = ("true_positives", "positives", "true_negatives", "negatives")

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


@keras.saving.register_keras_serializable(package="kerasad")
class DetectionRate(ThresholdMetric):
    """Share of defective images that are flagged: `TP / P`.

    NaN without a defective image. `update_state(label, anomaly_score)`, both (B,). Arguments are
    those of `ThresholdMetric`.
    """

    key = "detection_rate"
    totals = ("true_positives", "positives")

    def count(self, anomalous, flagged, weights):
        """Returns the weight of the flagged defective images of the batch, and of all of them."""
        parts = (ops.logical_and(anomalous, flagged), anomalous)
        return [ops.sum(ops.where(part, weights, 0.0)) for part in parts]

    def result(self):
        """Returns the rate: scalar in [0, 1], or NaN."""
        return self.ratio(self.true_positives, self.positives)


@keras.saving.register_keras_serializable(package="kerasad")
class PooledIoU(ThresholdMetric):
    """IoU at a threshold, pixels of all images pooled, good images included.

    `IoU = TP / (TP + FP + FN)`. NaN without an anomalous pixel.
    `update_state(mask, anomaly_map, sample_weight=valid)`. Arguments are those of
    `ThresholdMetric`.
    """

    key = "iou_pooled"
    totals = ("intersection", "union", "positives")

    def count(self, anomalous, flagged, weights):
        """Returns the weight of the intersection, of the union and of the mask."""
        both = ops.logical_and(anomalous, flagged)
        either = ops.logical_or(anomalous, flagged)
        return [ops.sum(ops.where(part, weights, 0.0)) for part in (both, either, anomalous)]

    def result(self):
        """Returns the IoU: scalar in [0, 1], or NaN."""
        return self.ratio(self.intersection, ops.where(self.positives > 0, self.union, 0.0))


@keras.saving.register_keras_serializable(package="kerasad")
class PerImageIoU(ThresholdMetric):
    """IoU at a threshold for every defective image, then their mean.

    An image is defective if its mask has a pixel that is not padding. Others do not count: false
    alarms on good images show in `PooledIoU` only. NaN without a defective image.
    `update_state(mask, anomaly_map, sample_weight=valid)`. Arguments are those of
    `ThresholdMetric`.
    """

    key = "iou_per_image"
    totals = ("sum_of_ious", "num_defective")

    def count(self, anomalous, flagged, weights):
        """Returns the sum of the IoUs of the batch and the number of its defective images."""
        axes = tuple(range(1, len(weights.shape)))
        both = ops.logical_and(anomalous, flagged)
        either = ops.logical_or(anomalous, flagged)
        intersection = ops.sum(ops.where(both, weights, 0.0), axis=axes)
        union = ops.sum(ops.where(either, weights, 0.0), axis=axes)
        defective = ops.sum(ops.where(anomalous, weights, 0.0), axis=axes) > 0
        iou = intersection / ops.maximum(union, 1e-300)
        return [ops.sum(ops.where(defective, iou, 0.0)), ops.sum(ops.cast(defective, "float64"))]

    def result(self):
        """Returns the mean IoU: scalar in [0, 1], or NaN."""
        return self.ratio(self.sum_of_ious, self.num_defective)
