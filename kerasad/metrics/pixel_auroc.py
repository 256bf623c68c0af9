"""AUROC over pixels."""

import keras

from kerasad.metrics.curves import area_under_roc
from kerasad.metrics.histogram_metric import HistogramMetric


@keras.saving.register_keras_serializable(package="kerasad")
class PixelAUROC(HistogramMetric):
    """Area under the ROC curve of all pixels of all images, pooled.

    `update_state(mask, anomaly_map, sample_weight=valid)`, each `(batch, height, width, 1)`. NaN
    unless normal and anomalous pixels came. Against sorting all pixels the error is below 1e-6
    (tested on scores that are normal, narrow as 1000.0 to 1000.5, tiny, heavy-tailed, or spread
    over all powers of ten), and 0 for up to `capacity - 1` different scores.

    Args:
        capacity: int >= 4096. Slots of the histogram.
        name: str.
        dtype: dtype of the result.
    """

    def __init__(self, capacity: int | None = None, name: str = "pixel_auroc", dtype=None):
        super().__init__(capacity=capacity, name=name, dtype=dtype)

    def result(self):
        """Returns the area: scalar in [0, 1], or NaN."""
        return self.finish(area_under_roc(*self.counts()))
