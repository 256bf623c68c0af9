"""Intersection over union of the flagged pixels and the mask."""

import keras
from keras import ops

from kerasad.metrics.curves import best_f1
from kerasad.metrics.histogram_metric import HistogramMetric
from kerasad.metrics.threshold_metric import ThresholdMetric


@keras.saving.register_keras_serializable(package="kerasad")
class OracleIoU(HistogramMetric):
    """Best IoU over all thresholds, pixels of all images pooled.

    `IoU = TP / (TP + FP + FN) = F1 / (2 - F1)`, which grows with F1: the best threshold is the
    same for both. It knows the masks, so no deployed threshold reaches it. NaN without an
    anomalous pixel. `update_state(mask, anomaly_map, sample_weight=valid)`, each
    `(batch, height, width, 1)`.

    Args:
        capacity: int >= 4096. Slots of the histogram.
        name: str.
        dtype: dtype of the result.
    """

    def __init__(self, capacity: int | None = None, name: str = "iou_oracle", dtype=None):
        super().__init__(capacity=capacity, name=name, dtype=dtype)

    def result(self):
        """Returns the best IoU: scalar in [0, 1], or NaN."""
        return self.finish(f1_to_iou(best_f1(*self.counts())))


@keras.saving.register_keras_serializable(package="kerasad")
class PooledIoU(ThresholdMetric):
    """IoU at a threshold, pixels of all images pooled, good images included.

    `IoU = TP / (TP + FP + FN)`, flagged = strictly above `threshold`. NaN without an anomalous
    pixel. `update_state(mask, anomaly_map, sample_weight=valid)`.

    Args:
        threshold: float. Of the map, such as the detector's `pixel_threshold`.
        name: str.
        dtype: dtype of the result.
    """

    totals = ("intersection", "union", "positives")

    def __init__(self, threshold: float, name: str = "iou_pooled", dtype=None):
        super().__init__(threshold, name=name, dtype=dtype)

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

    An image is defective if its mask has a pixel that is not padding; others don't count, so that
    false alarms on good images show in `PooledIoU` only. Flagged = strictly above `threshold`.
    NaN without a defective image. `update_state(mask, anomaly_map, sample_weight=valid)`.

    Args:
        threshold: float. Of the map, such as the detector's `pixel_threshold`.
        name: str.
        dtype: dtype of the result.
    """

    totals = ("sum_of_ious", "num_defective")

    def __init__(self, threshold: float, name: str = "iou_per_image", dtype=None):
        super().__init__(threshold, name=name, dtype=dtype)

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


def f1_to_iou(f1):
    """Returns the IoU at the same threshold, `F1 / (2 - F1)`."""
    return f1 / (2.0 - f1)
