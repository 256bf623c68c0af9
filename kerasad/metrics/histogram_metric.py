"""The base of metrics that look at all thresholds at once."""

import keras
from keras import ops

from kerasad.layers.score_histogram import ScoreHistogram
from kerasad.metrics.inputs import align_inputs


class HistogramMetric(keras.metrics.Metric):
    """Keeps a `ScoreHistogram` of normal and anomalous scores; subclasses read it off.

    Scores are raw float32 of any range, ties and infinities included; nothing is clipped. Memory is
    constant: with no more than `capacity - 1` different scores the result is exact, beyond it the
    bins widen (see `ScoreHistogram`). A NaN score makes the result NaN.

    Args:
        capacity: int >= 4096. Slots of the histogram.
        name: str. Defaults to the metric's name in snake case.
        dtype: dtype of the result; counting is always done in float64.
    """

    channels = 2
    default_capacity = 2**16

    def __init__(self, capacity: int | None = None, name: str | None = None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.histogram = ScoreHistogram(self.channels, capacity or self.default_capacity)

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

    def counts(self):
        """Returns one float64 `(capacity,)` tensor a channel, by ascending score."""
        return [self.histogram.counts[:, channel] for channel in range(self.channels)]

    def finish(self, value):
        """Returns `value` in the metric's dtype, NaN if any score was NaN."""
        value = ops.where(self.histogram.has_nan(), float("nan"), value)
        return ops.cast(value, self.dtype)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "capacity": self.histogram.capacity}
