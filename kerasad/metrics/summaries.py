"""Several metrics from one histogram, for evaluations that want them all."""

import keras

from kerasad.metrics.aupro import AUPRO
from kerasad.metrics.curves import area_under_pro, area_under_roc, best_f1
from kerasad.metrics.image_auroc import ImageAUROC
from kerasad.metrics.iou import f1_to_iou


@keras.saving.register_keras_serializable(package="kerasad")
class ImageMetrics(ImageAUROC):
    """`image_auroc` and `image_f1_max` as a dict, for the price of one.

    `update_state(label, anomaly_score)`, both (B,).

    Args:
        capacity: int >= 4096. Slots of the histogram.
        name: str.
        dtype: dtype of the results.
    """

    def __init__(self, capacity: int | None = None, name: str = "image_metrics", dtype=None):
        super().__init__(capacity=capacity, name=name, dtype=dtype)

    def result(self):
        """Returns a dict of scalars in [0, 1], or NaN."""
        counts = self.counts()
        return {
            "image_auroc": self.finish(area_under_roc(*counts)),
            "image_f1_max": self.finish(best_f1(*counts)),
        }


@keras.saving.register_keras_serializable(package="kerasad")
class PixelMetrics(AUPRO):
    """`pixel_auroc`, `aupro`, `pixel_f1_max` and `iou_oracle` as a dict, for the price of one.

    `update_state(mask, anomaly_map, sample_weight=valid)`, each `(batch, height, width, 1)`;
    everything said at `AUPRO` holds.

    Args:
        fpr_limit: float in (0, 1]. Right end of AUPRO's area.
        capacity: int >= 4096. Slots of the histogram.
        name: str.
        dtype: dtype of the results.
    """

    def __init__(
        self,
        fpr_limit: float = 0.3,
        capacity: int | None = None,
        name: str = "pixel_metrics",
        dtype=None,
    ):
        super().__init__(fpr_limit=fpr_limit, capacity=capacity, name=name, dtype=dtype)

    def result(self):
        """Returns a dict of scalars in [0, 1], or NaN."""
        normal, anomalous, shares = self.counts()
        f1 = best_f1(normal, anomalous)
        values = {
            "pixel_auroc": area_under_roc(normal, anomalous),
            "aupro": area_under_pro(normal, shares, self.num_regions, self.fpr_limit),
            "pixel_f1_max": f1,
            "iou_oracle": f1_to_iou(f1),
        }
        return {name: self.finish(value) for name, value in values.items()}
