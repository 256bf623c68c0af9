"""Area under the per-region overlap curve."""

import keras
from keras import ops

from kerasad.errors import InputError
from kerasad.metrics.curves import area_under_pro
from kerasad.metrics.histogram_metric import HistogramMetric
from kerasad.metrics.inputs import align_inputs
from kerasad.metrics.regions import region_shares


@keras.saving.register_keras_serializable(package="kerasad")
class AUPRO(HistogramMetric):
    """Area under the per-region overlap curve up to a false-positive rate, over that rate.

    `PRO(t)` is the mean, over the 8-connected regions of all masks, of the share of the region at
    or above `t`: a small defect weighs as much as a large one. `FPR(t)` is the share of the normal
    pixels of all images, good and defective. Instead of maps it keeps, for each bin of scores, the
    sum of 1 / (area of the pixel's region). NaN without regions or without normal pixels.

    `update_state(mask, anomaly_map, sample_weight=valid)`, each `(batch, height, width, 1)`.
    Regions are found on the host: where a model would be compiled with XLA (as Keras does by
    default on a GPU), pass `jit_compile=False` to `compile`.

    Args:
        fpr_limit: float in (0, 1]. Right end of the area.
        capacity: int >= 4096. Slots of the histogram.
        name: str.
        dtype: dtype of the result.

    Reference: Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021, section 4.2.
    """

    channels = 3

    def __init__(
        self,
        fpr_limit: float = 0.3,
        capacity: int | None = None,
        name: str = "aupro",
        dtype=None,
    ):
        if not 0.0 < fpr_limit <= 1.0:
            raise InputError(f"`fpr_limit` must be above 0 and at most 1, not {fpr_limit}.")
        super().__init__(capacity=capacity, name=name, dtype=dtype)
        self.fpr_limit = float(fpr_limit)
        self.num_regions = self.add_variable((), "zeros", dtype="float64", name="num_regions")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch; see the class."""
        anomalous, scores, weights = align_inputs(y_true, y_pred, sample_weight)
        shares, num_regions = region_shares(anomalous, weights)
        classes = self.split_weights(anomalous, weights)
        weights = ops.concatenate([classes, ops.expand_dims(shares, -1)], axis=-1)
        self.histogram.update(scores, weights)
        self.num_regions.assign_add(num_regions)

    def merge_state(self, metrics):
        """Adds the counts of other metrics of the same kind."""
        super().merge_state(metrics)
        for metric in metrics:
            self.num_regions.assign_add(metric.num_regions)

    def result(self):
        """Returns the area: scalar in [0, 1], or NaN."""
        normal, _, shares = self.counts()
        return self.finish(area_under_pro(normal, shares, self.num_regions, self.fpr_limit))

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "fpr_limit": self.fpr_limit}
