"""All registered metrics of scores, or of maps, from one histogram each."""

import keras

from kerasad.metrics.histogram_metrics import AUPRO, ImageAUROC
from kerasad.metrics.registry import shared_measures


@keras.saving.register_keras_serializable(package="kerasad")
class ImageMetrics(ImageAUROC):
    """Every registered metric of image scores over all thresholds, as a dict.

    `update_state(label, anomaly_score)`, both (B,). Arguments are those of `HistogramMetric`.
    """

    key = "image_metrics"

    def result(self):
        """Returns a dict of scalars, NaN where undefined."""
        return _read_off(self, "image")


@keras.saving.register_keras_serializable(package="kerasad")
class PixelMetrics(AUPRO):
    """Every registered metric of maps over all thresholds, as a dict.

    `update_state(mask, anomaly_map, sample_weight=valid)`, each `(batch, height, width, 1)`.
    Arguments are those of `AUPRO`, and everything said there holds.
    """

    key = "pixel_metrics"

    def result(self):
        """Returns a dict of scalars, NaN where undefined."""
        return _read_off(self, "pixel")


def _read_off(metric, kind):
    counts = metric.counts()
    return {
        measure.name: metric.finish(measure.metric.from_counts(counts))
        for measure in shared_measures(kind)
    }
