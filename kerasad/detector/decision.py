"""What a score says of an image: defective, to be looked at or good, and how rare it is."""

import keras
import numpy as np
from keras import ops

from kerasad.detector.conformal import ConformalRule, largest_first


@keras.saving.register_keras_serializable(package="kerasad")
class ConformalDecision(keras.layers.Layer):
    """P-value and decision of a score, from saved calibration scores.

    `p = (1 + number of calibration scores >= score) / (n + 1)`. The scores are state of a fixed
    capacity, padded with -inf, so that calibrating anew needs no new graph. More scores than fit
    are thinned to evenly spaced ranks. A score that is NaN counts as defective.

    A score strictly above `threshold` is defective; one strictly above `review_threshold` alone is
    to be looked at; any other is good. Without a review band both thresholds are the same.

    Args:
        capacity: int. Calibration scores kept.

    Call arguments:
        score: float32 tensor `(batch,)`.

    Returns:
        dict of `p_value` (float32 `(batch,)` in (0, 1]; 1 before calibration), `is_anomalous` and
        `needs_review` (bool `(batch,)`, never both true), `threshold` and `review_threshold`
        (float32 `(batch,)`).
    """

    def __init__(self, capacity: int = 4096, **kwargs):
        super().__init__(**{"trainable": False, **kwargs})
        self.capacity = capacity

    def build(self, input_shape=None):
        """Creates the scores, the thresholds and the rate of the review band."""
        options = {"trainable": False, "dtype": "float32", "autocast": False}
        lowest = keras.initializers.Constant(-np.inf)
        highest = keras.initializers.Constant(np.inf)
        self.scores = self.add_weight((self.capacity,), lowest, name="scores", **options)
        self.count = self.add_weight((), "zeros", name="count", **options)
        self.threshold = self.add_weight((), highest, name="threshold", **options)
        self.review_threshold = self.add_weight((), highest, name="review_threshold", **options)
        # 0 is "no band". The rule's rank must come out the same from it: all its digits count.
        wide = {**options, "dtype": "float64"}
        self._review_rate = self.add_weight((), "zeros", name="review_rate", **wide)

    def call(self, score):
        """Returns p-value and decision; see the class."""
        reached = ops.sum(
            ops.cast(ops.expand_dims(self.scores, 0) >= score[:, None], "float32"), axis=-1
        )
        threshold = ops.broadcast_to(self.threshold, ops.shape(score))
        review_threshold = ops.broadcast_to(self.review_threshold, ops.shape(score))
        # Not "not <=": optimized to ">", which a NaN is not.
        is_anomalous = ops.logical_or(score > threshold, ops.isnan(score))
        return {
            # A score of -inf (an image without a real pixel) also reaches the padding.
            "p_value": ops.minimum((1.0 + reached) / (self.count + 1.0), 1.0),
            "is_anomalous": is_anomalous,
            "needs_review": ops.logical_and(
                score > review_threshold, ops.logical_not(is_anomalous)
            ),
            "threshold": threshold,
            "review_threshold": review_threshold,
        }

    def thin(self, scores: np.ndarray) -> np.ndarray:
        """Returns the scores, largest first, at evenly spaced ranks if there are too many.

        Of `N` scores, `n` are kept: those of rank `floor(i (N + 1) / (n + 1))`, `i = 1..n`. Both
        the guaranteed rate and the p-value of the kept ones are then never below those of all.

        Raises:
            InputError: If a score is not finite.
        """
        scores = largest_first(scores)
        if len(scores) > self.capacity:
            ranks = np.arange(1, self.capacity + 1) * (len(scores) + 1) // (self.capacity + 1)
            scores = scores[ranks - 1]
        return scores

    def set_scores(self, scores: np.ndarray) -> None:
        """Replaces the calibration scores; the thresholds are inf until they are set anew."""
        padded = np.full(self.capacity, -np.inf, "float32")
        padded[: len(scores)] = scores
        self.scores.assign(padded)
        self.count.assign(float(len(scores)))
        self.threshold.assign(np.inf)
        self.review_threshold.assign(np.inf)
        self._review_rate.assign(0.0)

    def set_rules(self, rule: ConformalRule, review_rule: ConformalRule | None = None) -> None:
        """Sets the threshold, and that of a review band; None leaves no band."""
        self.threshold.assign(rule.threshold)
        self.review_threshold.assign((review_rule or rule).threshold)
        self._review_rate.assign(0.0 if review_rule is None else review_rule.requested)

    @property
    def review_rate(self) -> float | None:
        """The rate that the review band was asked for with; None without a band."""
        return float(self._review_rate) or None

    def stored_scores(self) -> np.ndarray:
        """Returns the calibration scores, largest first, float32 `(n,)`."""
        return np.asarray(self.scores)[: int(self.count)]

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "capacity": self.capacity}
