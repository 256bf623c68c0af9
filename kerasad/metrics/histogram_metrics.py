"""Metrics over all thresholds, each from a histogram of normal and anomalous scores."""

from typing import Any, NamedTuple

import keras
from keras import ops

from kerasad.errors import InputError
from kerasad.layers.score_histogram import ScoreHistogram
from kerasad.metrics.curves import area_under_pro, area_under_roc, best_f1, f1_to_iou
from kerasad.metrics.inputs import align_inputs, region_shares


class Counts(NamedTuple):
    """What a histogram holds, by ascending score: one float64 `(bins,)` tensor for each field.

    Args:
        normal: number of normal images or pixels.
        anomalous: number of anomalous ones.
        region_shares: of pixels, the sum of 1 / (area of its region) over the anomalous ones.
        num_regions: of pixels, the number of regions; a scalar.
        fpr_limit: of pixels, the right end of AUPRO's area; a float.
    """

    normal: Any
    anomalous: Any
    region_shares: Any = None
    num_regions: Any = None
    fpr_limit: float | None = None


class HistogramMetric(keras.metrics.Metric):
    """Keeps a `ScoreHistogram` of normal and anomalous scores; a subclass reads its value off it.

    Scores are raw float32 of any range, ties and infinities included; nothing is clipped. Memory is
    constant: with at most `capacity - 1` different scores the result is exact, beyond that the
    bins widen (see `ScoreHistogram`). A NaN score makes the result NaN.

    A subclass defines `from_counts`, and `key`: its name in `metrics.json`.

    Args:
        capacity: int >= 4096. Slots of the histogram.
        name: str. Defaults to `key`.
        dtype: dtype of the result; counting is always done in float64.
    """

    key: str | None = None
    channels = 2
    default_capacity = 2**16

    def __init__(self, capacity: int | None = None, name: str | None = None, dtype=None):
        super().__init__(name=name or self.key, dtype=dtype)
        self.histogram = ScoreHistogram(self.channels, capacity or self.default_capacity)

    @staticmethod
    def from_counts(counts: Counts):
        """Returns the metric: float64 scalar tensor, NaN where it is undefined."""
        raise NotImplementedError

    @property
    def variables(self):
        """The counts, and what a subclass adds."""
        return super().variables + self.histogram.variables

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Counts a batch.

        Args:
            y_true: labels of the shape of `y_pred`: `(batch,)` or `(batch, height, width, 1)`,
                above 0.5 = anomalous.
            y_pred: float scores or maps, larger = more anomalous.
            sample_weight: optional weights >= 0; for maps `valid`, 0 = padding.
        """
        anomalous, scores, weights = align_inputs(y_true, y_pred, sample_weight)
        self.histogram.update(scores, self.split_weights(anomalous, weights))

    def split_weights(self, anomalous, weights):
        """Returns what each score adds to the counts: float64 `(..., channels)`."""
        zero = ops.zeros_like(weights)
        normal_weights = ops.where(anomalous, zero, weights)
        return ops.stack([normal_weights, ops.where(anomalous, weights, zero)], axis=-1)

    def merge_state(self, metrics):
        """Adds the counts of other metrics of the same kind, for instance one of each worker."""
        self.histogram.merge(*(metric.histogram for metric in metrics))

    def reset_state(self):
        """Forgets all counts."""
        for variable in super().variables:
            variable.assign(ops.zeros_like(variable))
        self.histogram.reset()

    def counts(self) -> Counts:
        """Returns the counts so far."""
        return Counts(*(self.histogram.counts[:, channel] for channel in range(self.channels)))

    def result(self):
        """Returns the metric in its dtype: scalar tensor, or NaN."""
        return self.finish(self.from_counts(self.counts()))

    def finish(self, value):
        """Returns `value` in the metric's dtype, NaN if any score was NaN."""
        value = ops.where(self.histogram.has_nan(), float("nan"), value)
        return ops.cast(value, self.dtype)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "capacity": self.histogram.capacity}


@keras.saving.register_keras_serializable(package="kerasad")
class ImageAUROC(HistogramMetric):
    """Area under the ROC curve of image scores: `update_state(label, anomaly_score)`, both (B,).

    The chance that a defective image scores above a good one, ties counting half. NaN unless
    both good and defective images came. Arguments are those of `HistogramMetric`.

    Example:

    >>> metric = ImageAUROC()
    >>> metric.update_state([0, 0, 1, 1], [-3.0, 0.2, 0.1, 40.0])
    >>> float(metric.result())
    0.75
    """

    key = "image_auroc"
    default_capacity = 2**14

    from_counts = staticmethod(lambda counts: area_under_roc(counts.normal, counts.anomalous))


@keras.saving.register_keras_serializable(package="kerasad")
class ImageF1Max(HistogramMetric):
    """Best F1 of images over thresholds: `update_state(label, anomaly_score)`, both (B,).

    `F1 = 2 TP / (2 TP + FP + FN)`. No deployed threshold reaches it, since it knows the labels.
    NaN unless good and defective images came: without good ones any low threshold gives 1.
    Arguments are those of `HistogramMetric`.
    """

    key = "image_f1_max"
    default_capacity = 2**14

    @staticmethod
    def from_counts(counts):
        """Returns the best F1, or NaN."""
        value = best_f1(counts.normal, counts.anomalous)
        return ops.where(ops.sum(counts.normal) > 0, value, float("nan"))


@keras.saving.register_keras_serializable(package="kerasad")
class PixelAUROC(HistogramMetric):
    """Area under the ROC curve of all pixels of all images, pooled.

    `update_state(mask, anomaly_map, sample_weight=valid)`, each `(batch, height, width, 1)`. NaN
    unless normal and anomalous pixels came. Compared with sorting all pixels, the error is below
    1e-6 (tested on scores that are normal, narrow as 1000.0 to 1000.5, tiny, heavy-tailed, or
    spread over all powers of ten). Arguments are those of `HistogramMetric`.
    """

    key = "pixel_auroc"

    from_counts = staticmethod(lambda counts: area_under_roc(counts.normal, counts.anomalous))


@keras.saving.register_keras_serializable(package="kerasad")
class PixelF1Max(HistogramMetric):
    """Best F1 of all pixels, pooled: `update_state(mask, anomaly_map, sample_weight=valid)`.

    Each argument is `(batch, height, width, 1)`. NaN without an anomalous pixel. Arguments are
    those of `HistogramMetric`.
    """

    key = "pixel_f1_max"

    from_counts = staticmethod(lambda counts: best_f1(counts.normal, counts.anomalous))


@keras.saving.register_keras_serializable(package="kerasad")
class OracleIoU(HistogramMetric):
    """Best IoU over all thresholds, pixels of all images pooled.

    `IoU = TP / (TP + FP + FN) = F1 / (2 - F1)` grows with F1, so the best threshold is the same
    for both. No deployed threshold reaches it, since it knows the masks. NaN without an anomalous
    pixel. `update_state(mask, anomaly_map, sample_weight=valid)`, each
    `(batch, height, width, 1)`. Arguments are those of `HistogramMetric`.
    """

    key = "iou_oracle"

    from_counts = staticmethod(lambda counts: f1_to_iou(best_f1(counts.normal, counts.anomalous)))


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
        capacity: as in `HistogramMetric`.
        name: as in `HistogramMetric`.
        dtype: as in `HistogramMetric`.

    Reference: Bergmann et al., "The MVTec Anomaly Detection Dataset", IJCV 2021, section 4.2.
    """

    key = "aupro"
    channels = 3

    def __init__(
        self,
        fpr_limit: float = 0.3,
        capacity: int | None = None,
        name: str | None = None,
        dtype=None,
    ):
        if not 0.0 < fpr_limit <= 1.0:
            raise InputError(f"`fpr_limit` must be above 0 and at most 1, not {fpr_limit}.")
        super().__init__(capacity=capacity, name=name, dtype=dtype)
        self.fpr_limit = float(fpr_limit)
        self.num_regions = self.add_variable((), "zeros", dtype="float64", name="num_regions")

    from_counts = staticmethod(
        lambda counts: area_under_pro(
            counts.normal, counts.region_shares, counts.num_regions, counts.fpr_limit
        )
    )

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

    def counts(self) -> Counts:
        """Returns the counts so far."""
        return (
            super()
            .counts()
            ._replace(num_regions=ops.convert_to_tensor(self.num_regions), fpr_limit=self.fpr_limit)
        )

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "fpr_limit": self.fpr_limit}
