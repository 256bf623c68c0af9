"""Best F1 over all thresholds: an oracle, since it knows the labels."""

import keras

from kerasad.metrics.curves import best_f1
from kerasad.metrics.histogram_metric import HistogramMetric


@keras.saving.register_keras_serializable(package="kerasad")
class ImageF1Max(HistogramMetric):
    """Best F1 of images over thresholds: `update_state(label, anomaly_score)`, both (B,).

    `F1 = 2 TP / (2 TP + FP + FN)`. NaN without a defective image.

    Args:
        capacity: int >= 4096. Slots of the histogram.
        name: str.
        dtype: dtype of the result.
    """

    default_capacity = 2**14

    def __init__(self, capacity: int | None = None, name: str = "image_f1_max", dtype=None):
        super().__init__(capacity=capacity, name=name, dtype=dtype)

    def result(self):
        """Returns the best F1: scalar in [0, 1], or NaN."""
        return self.finish(best_f1(*self.counts()))


@keras.saving.register_keras_serializable(package="kerasad")
class PixelF1Max(HistogramMetric):
    """Best F1 of all pixels, pooled: `update_state(mask, anomaly_map, sample_weight=valid)`.

    Each argument is `(batch, height, width, 1)`. NaN without an anomalous pixel.

    Args:
        capacity: int >= 4096. Slots of the histogram.
        name: str.
        dtype: dtype of the result.
    """

    def __init__(self, capacity: int | None = None, name: str = "pixel_f1_max", dtype=None):
        super().__init__(capacity=capacity, name=name, dtype=dtype)

    def result(self):
        """Returns the best F1: scalar in [0, 1], or NaN."""
        return self.finish(best_f1(*self.counts()))
