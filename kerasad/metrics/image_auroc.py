"""AUROC over images."""

import keras

from kerasad.metrics.curves import area_under_roc
from kerasad.metrics.histogram_metric import HistogramMetric


@keras.saving.register_keras_serializable(package="kerasad")
class ImageAUROC(HistogramMetric):
    """Area under the ROC curve of image scores: `update_state(label, anomaly_score)`, both (B,).

    The chance that a defective image scores above a good one, ties counting half. NaN unless
    both good and defective images came. Exact up to `capacity - 1` different scores.

    Args:
        capacity: int >= 4096. Slots of the histogram.
        name: str.
        dtype: dtype of the result.

    Example:

    >>> metric = ImageAUROC()
    >>> metric.update_state([0, 0, 1, 1], [-3.0, 0.2, 0.1, 40.0])
    >>> float(metric.result())
    0.75
    """

    default_capacity = 2**14

    def __init__(self, capacity: int | None = None, name: str = "image_auroc", dtype=None):
        super().__init__(capacity=capacity, name=name, dtype=dtype)

    def result(self):
        """Returns the area: scalar in [0, 1], or NaN."""
        return self.finish(area_under_roc(*self.counts()))
