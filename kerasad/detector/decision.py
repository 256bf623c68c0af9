"""The decision about a score: defective, to be reviewed or good, and how rare the score is."""

import hashlib
import math
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.detector.conformal import (
    CROSSWISE_NOTE,
    ON_CROPS_NOTE,
    UPDATED_NOTE,
    conformal_rule,
    conformal_rules,
    describe_groups,
    describe_review_choice,
    largest_first,
)
from kerasad.errors import InputError
from kerasad.models.health import NOT_CALIBRATED
from kerasad.precision import add_state


@keras.saving.register_keras_serializable(package="kerasad")
class ConformalDecision(keras.layers.Layer):
    """P-value and decision of a score, from saved calibration scores.

    `p = (1 + number of calibration scores >= score) / (n + 1)`. A score strictly above `threshold`
    is defective; one strictly above `review_threshold` only needs review; any other is good.
    Without a review band the two thresholds are equal. A score that is NaN counts as defective.

    Everything that a calibration sets is state of this layer. The scores have a fixed capacity and
    are padded with -inf, so that a new calibration needs no new graph. More scores than fit are
    thinned, see `thin`.

    Args:
        capacity: int. Calibration scores kept.

    Call arguments:
        score: float32 tensor `(batch,)`.

    Returns:
        dict of `p_value` (in (0, 1]; 1 before calibration), `is_anomalous`, `needs_review` (bool;
        never both true), `threshold`, `review_threshold` and `pixel_threshold`, all `(batch,)`.
    """

    def __init__(self, capacity: int = 4096, **kwargs):
        super().__init__(**{"trainable": False, **kwargs})
        self.capacity = capacity

    def build(self, input_shape=None):
        """Creates the scores, the thresholds and the rates that they were made for."""
        self.scores = add_state(self, "scores", (self.capacity,), -np.inf)
        self.peaks = add_state(self, "peaks", (self.capacity,), -np.inf)
        self.count = add_state(self, "count")
        self.threshold = add_state(self, "threshold", value=np.inf)
        self.review_threshold = add_state(self, "review_threshold", value=np.inf)
        self.pixel_threshold = add_state(self, "pixel_threshold", value=np.inf)
        # The summary repeats the rule, and its rank depends on all digits of a rate.
        self._rate = add_state(self, "false_alarm_rate", value=0.05, dtype="float64")
        self._review_rate = add_state(self, "review_rate", dtype="float64")  # 0 without a band
        self._on_crops = add_state(self, "on_crops")
        self._num_images = add_state(self, "num_images")
        self._num_groups = add_state(self, "num_groups")
        self._crosswise = add_state(self, "crosswise")
        self._updated = add_state(self, "updated")
        self._review_defects = add_state(self, "review_defects")

    def call(self, score):
        """Returns p-value, decision and thresholds; see the class."""
        reached = ops.sum(
            ops.cast(ops.expand_dims(self.scores, 0) >= score[:, None], "float32"), axis=-1
        )
        thresholds = {
            state.name: ops.broadcast_to(state, ops.shape(score))
            for state in (self.threshold, self.review_threshold, self.pixel_threshold)
        }
        # Not "not <=": a graph turns that into ">", which is false for NaN.
        is_anomalous = ops.logical_or(score > self.threshold, ops.isnan(score))
        return {
            # A score of -inf (an image without a real pixel) also reaches the padding.
            "p_value": ops.minimum((1.0 + reached) / (self.count + 1.0), 1.0),
            "is_anomalous": is_anomalous,
            "needs_review": ops.logical_and(
                score > self.review_threshold, ops.logical_not(is_anomalous)
            ),
            **thresholds,
        }

    def calibrate(
        self,
        scores: np.ndarray,
        false_alarm_rate: float = 0.05,
        review_rate: float | None = None,
        *,
        peaks: np.ndarray | None = None,
        strict: bool = False,
        on_crops: bool = False,
        num_images: int | None = None,
        crosswise: bool = False,
        updated: bool = False,
    ) -> None:
        """Sets scores, thresholds and rates; an error leaves the state as it was.

        Args:
            scores: float array `(n,)` of good images, or of groups of them.
            false_alarm_rate, review_rate, strict, on_crops, crosswise: as in `conformal_rules`.
            peaks: float array `(n,)`, the maxima of the images' maps. The pixel threshold is
                theirs by the same rule: no more good images than that have a pixel above it.
                Without them, no pixel ever is.
            num_images: int or None. Images that the scores stand for; None: one each.
            updated: bool. Whether they are images of an update: statistics hold former images too.
        """
        num_groups = len(scores)
        scores, peaks = self.thin(scores), self.thin(() if peaks is None else peaks)
        basis = (on_crops, crosswise)
        rules = conformal_rules(scores, false_alarm_rate, review_rate, strict, *basis)
        self._set_scores(scores, peaks)
        self._set_rules(*rules)
        self._on_crops.assign(float(on_crops))
        self._num_images.assign(float(num_groups if num_images is None else num_images))
        self._num_groups.assign(float(num_groups))
        self._crosswise.assign(float(crosswise))
        self._updated.assign(float(updated))
        self._review_defects.assign(0.0)

    def change_rates(
        self, false_alarm_rate: float, review_rate: float | None = None, strict: bool = False
    ) -> None:
        """Sets the thresholds anew, from the stored scores and peaks; see `calibrate`."""
        basis = (self.on_crops, self.crosswise)
        rates = (false_alarm_rate, review_rate, strict)
        self._set_rules(*conformal_rules(self.stored_scores(), *rates, *basis))
        self._review_defects.assign(0.0)

    def set_review_band(self, review_rate: float, num_defects: int) -> None:
        """Sets a review band that real defects have chosen; the threshold stays.

        Args:
            review_rate: float. Above the false-alarm rate.
            num_defects: int. How many have chosen it.
        """
        self.change_rates(float(self._rate), review_rate)
        self._review_defects.assign(float(num_defects))

    @property
    def is_calibrated(self) -> bool:
        """Whether there are scores to decide by."""
        return float(self.count) > 0

    def require_calibration(self) -> None:
        """Raises an `InputError` before the first calibration."""
        if not self.is_calibrated:
            raise InputError(NOT_CALIBRATED)

    def calibration_checks(self) -> list[tf.Operation]:
        """Returns operations that stop a graph before the first calibration.

        Raises:
            InputError: In eager mode, at once.
        """
        if tf.executing_eagerly():
            self.require_calibration()
            return []
        calibrated = ops.convert_to_tensor(self.count) > 0
        return [tf.debugging.Assert(calibrated, [NOT_CALIBRATED])]

    def forget(self) -> None:
        """Drops scores and thresholds: new maps have made them meaningless."""
        self._set_scores((), ())
        for threshold in (self.threshold, self.review_threshold, self.pixel_threshold):
            threshold.assign(np.inf)
        self._review_rate.assign(0.0)
        self._on_crops.assign(0.0)
        self._num_images.assign(0.0)
        self._num_groups.assign(0.0)
        self._crosswise.assign(0.0)
        self._updated.assign(0.0)
        self._review_defects.assign(0.0)

    def thin(self, scores: np.ndarray) -> np.ndarray:
        """Returns the scores, largest first, at evenly spaced ranks if there are too many.

        Of `N` scores, `n` are kept: those of rank `floor(i (N + 1) / (n + 1))`, `i = 1..n`. With
        these, neither the guaranteed rate nor a p-value is ever below that of all scores.

        Raises:
            InputError: If a score is not finite.
        """
        scores = largest_first(scores)
        if len(scores) > self.capacity:
            ranks = np.arange(1, self.capacity + 1) * (len(scores) + 1) // (self.capacity + 1)
            scores = scores[ranks - 1]
        return scores

    def _set_scores(self, scores, peaks):
        for state, values in ((self.scores, scores), (self.peaks, peaks)):
            padded = np.full(self.capacity, -np.inf, "float32")
            padded[: len(values)] = values
            state.assign(padded)
        self.count.assign(float(len(scores)))

    def _set_rules(self, rule, review_rule=None):
        self.threshold.assign(rule.threshold)
        self.review_threshold.assign((review_rule or rule).threshold)
        peaks = np.asarray(self.peaks)
        peaks = peaks[peaks > -np.inf]
        if len(peaks):
            self.pixel_threshold.assign(conformal_rule(peaks, rule.requested).threshold)
        self._rate.assign(rule.requested)
        self._review_rate.assign(0.0 if review_rule is None else review_rule.requested)

    @property
    def review_rate(self) -> float | None:
        """The rate that the review band was asked for with; None without a band."""
        return float(self._review_rate) or None

    @property
    def on_crops(self) -> bool:
        """Whether the scores are those of crops of one photo, which guarantee nothing."""
        return bool(float(self._on_crops))

    @property
    def num_images(self) -> int:
        """Calibration images; those of one group have one score."""
        return int(self._num_images)

    @property
    def num_groups(self) -> int:
        """Groups of calibration images, each with one score, before `thin`."""
        return int(self._num_groups)

    @property
    def crosswise(self) -> bool:
        """Whether each image was scored by statistics of the others, see `conformal_rules`."""
        return bool(float(self._crosswise))

    def stored_scores(self) -> np.ndarray:
        """Returns the calibration scores, largest first, float32 `(n,)`."""
        return np.asarray(self.scores)[: int(self.count)]

    @property
    def calibration_id(self) -> str | None:
        """Hash of scores, thresholds and rates, which metrics belong to; None before `calibrate`.

        Whatever changes a score or a decision changes it too: the scores are among its state.
        """
        if not float(self.count):
            return None
        content = hashlib.sha256()
        for state in self.variables:
            content.update(np.asarray(state).tobytes())
        return content.hexdigest()[:16]

    def summary(self) -> dict:
        """Returns thresholds, rates and guarantees, ready for JSON.

        Returns:
            dict of `calibration_id`, `threshold`, `review_threshold` (equal to it without a review
            band) and `pixel_threshold` (all None before `calibrate`), `num_images`,
            `num_groups` (as many as images, unless some were given as near-copies),
            `crosswise` (see there), `false_alarm_rate` (a dict of `requested`, `expected`,
            `guaranteed` and `interval_95`; all but the first None on crops of one photo,
            `guaranteed` also if crosswise), `review_rate` (alike; None without a review band) and
            `note`.
        """
        scores, rate, review_rate = self.stored_scores(), float(self._rate), self.review_rate
        rule = review_rule = None
        note = "Not calibrated yet."
        if self.on_crops:
            note = ON_CROPS_NOTE
        elif len(scores):
            rule, review_rule = conformal_rules(scores, rate, review_rate, crosswise=self.crosswise)
            notes = [found.note for found in (rule, review_rule) if found is not None]
            if self.num_groups < self.num_images:
                notes[0] = describe_groups(rule, self.num_images)
            if self.crosswise:
                notes.append(CROSSWISE_NOTE)
            if float(self._updated):
                notes.append(UPDATED_NOTE)
            if review_rule is not None and float(self._review_defects):
                # The scores that it counts have chosen it, together with the defects.
                review_rule = replace(review_rule, guaranteed=None)
                notes.append(describe_review_choice(int(self._review_defects)))
            note = " ".join(filter(None, notes)) or None
        return {
            "calibration_id": self.calibration_id,
            "threshold": _finite(self.threshold),
            "review_threshold": _finite(self.review_threshold),
            "pixel_threshold": _finite(self.pixel_threshold),
            "num_images": self.num_images,
            "num_groups": self.num_groups,
            "crosswise": self.crosswise,
            "false_alarm_rate": _describe_rate(rate, rule),
            "review_rate": review_rate and _describe_rate(review_rate, review_rule),
            "note": note,
        }

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "capacity": self.capacity}


def _describe_rate(requested, rule):
    return {
        "requested": requested,
        "expected": None if rule is None else rule.expected,
        "guaranteed": None if rule is None else rule.guaranteed,
        "interval_95": None if rule is None else list(rule.interval_95),
    }


def _finite(threshold):
    value = float(threshold)
    return value if math.isfinite(value) else None
