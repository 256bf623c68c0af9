"""A calibrated detector on a test set: every number of `metrics.json`, in one streaming pass."""

import itertools
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.data.region import without_outside
from kerasad.detector.batches import as_batches
from kerasad.detector.region import find_counting
from kerasad.errors import InputError
from kerasad.metrics import BalancedAccuracy
from kerasad.metrics.intervals import BootstrapIntervals, clopper_pearson
from kerasad.metrics.registry import quality_measures
from kerasad.metrics.summaries import DefectGroups
from kerasad.metrics.table import Metrics, format_metrics_table, write_metrics
from kerasad.models.health import NOT_CALIBRATED

_STATED = ("requested", "expected", "guaranteed", "interval_95")
"""What a calibration says of a rate."""

__all__ = ["evaluate", "format_metrics_table", "write_metrics"]

GOOD = "good"
# The group of all defective images where no records name their defects.
DEFECTIVE = "defective"


def evaluate(
    detector,
    dataset,
    *,
    records: Sequence | None = None,
    fpr_limit: float = 0.3,
    timing_batches: int = 5,
    batch_size: int = 32,
    verbose: int = 1,
) -> Metrics:
    """Measures a calibrated detector; nothing is chosen on these images.

    Scores and maps are compared raw, at the model's input size. Each kind of defect is measured
    against all good images. A defective image without a usable mask counts for the image metrics
    only. Pixels outside a region of interest count nowhere; an image whose defect is wholly
    outside counts as good, see `without_outside`. Memory does not grow with the number of images.
    What is measured is the registry's choice, see `kerasad.metrics.registry`.

    Args:
        detector: a calibrated `AnomalyDetector`.
        dataset: `tf.data.Dataset` of `(x, targets)` as `Category.test` yields it, or of `x` alone,
            whose images then all count as good; or `(x, targets)` or `x` as arrays. Targets may
            also be labels `(n,)` (above 0 is defective; pixel metrics are then undefined) or masks
            `(n, height, width, 1)` of the detector's size (above 0 is a defect).
        records: sequence of ImageRecord that `targets["index"]` points into; names the defects and
            the files. Without it `per_defect` is empty.
        fpr_limit: float in (0, 1]. Right end of AUPRO's area.
        timing_batches: int. How many times the first batch is run to find
            `milliseconds_per_image`, after one run for compiling; 0 leaves it out.
        batch_size: int. Of arrays; a dataset has its own.
        verbose: int. 0 is silent, 1 shows a progress bar.

    Returns:
        metrics: dict of plain Python values, ready for `write_metrics`, which prints as the table
            of the command line. An undefined value is None, and `notes` gives the reason under the
            same name.

    Raises:
        InputError: If the detector has no thresholds yet, if the dataset is empty, if its masks or
            indices do not fit, or if a score or a map is not finite.
    """
    groups = DefectGroups(GOOD, fpr_limit)
    decisions, intervals = _Decisions(detector), BootstrapIntervals(fpr_limit)
    first_inputs, without_mask, outside, count = None, [], [], 0
    batches = as_batches(dataset, "dataset", batch_size, check_values=False)
    for outputs, inputs, targets in detector.predict_stream(batches, verbose, "evaluating"):
        first_inputs = inputs if first_inputs is None else first_inputs
        counts = find_counting(detector, inputs, outputs["anomaly_map"])
        batch = _read_batch(outputs, counts, targets, records, count)
        count += len(batch.scores)
        groups.update(batch.names, batch.scores, batch.masks, batch.maps, batch.weights)
        decisions.update(batch)
        intervals.update(batch.labels, batch.scores, batch.masks, batch.maps, batch.weights)
        without_mask += batch.without_mask
        outside += batch.outside
    if first_inputs is None:
        raise InputError("`dataset` yields no images; give at least one to evaluate.")

    notes: dict[str, str] = {}
    metrics = {
        **_with_notes(*groups.over_all(), notes),
        "aupro_fpr_limit": fpr_limit,
        **decisions.results(notes),
        "intervals_95": {
            name: ends and list(ends)
            for name, ends in {**intervals.results(), **decisions.intervals()}.items()
        },
        "per_defect": _per_defect(groups, records, notes),
        "defects_without_mask": without_mask,
        "defects_outside_roi": outside,
        **_counts(groups),
        "image_size": [int(side) for side in detector.image_size],
        "milliseconds_per_image": _time_detector(detector, first_inputs, timing_batches),
        "milliseconds_batch_size": len(unpack_inputs(first_inputs)[0]),
    }
    for name, value in metrics.items():
        if value is None:
            notes.setdefault(name, "not measured")
    return Metrics(metrics, notes=notes)


@dataclass(frozen=True)
class _Batch:
    """One batch as NumPy arrays; files without a usable mask, and those with a defect `outside`."""

    names: list[str]
    labels: np.ndarray
    scores: np.ndarray
    maps: np.ndarray
    masks: np.ndarray
    weights: np.ndarray
    without_mask: list[str]
    outside: list[str]


def _read_batch(outputs: Mapping, counts, targets, records, first: int) -> _Batch:
    maps = np.asarray(outputs["anomaly_map"], "float32")
    targets = _read_targets(targets, maps, first)
    if targets["mask"].shape != maps.shape:
        raise InputError(
            f"The masks of `dataset` have shape {targets['mask'].shape} and the maps of `detector` "
            f"{maps.shape}; load the data at the detector's image size."
        )
    scores = np.asarray(outputs["anomaly_score"], "float32")
    _refuse_not_finite(scores, maps, counts, targets["index"], records)
    given, targets = targets["label"], without_outside(targets, counts)
    excused = targets["index"][(given > 0) & (targets["label"] == 0)]
    outside = [_identify(True, int(index), records)[1] for index in excused]
    labels, has_mask = targets["label"] > 0, targets["has_mask"].astype(bool)
    identities = [
        _identify(label, int(index), records)
        for label, index in zip(labels, targets["index"], strict=True)
    ]
    return _Batch(
        names=[name for name, _ in identities],
        labels=labels,
        scores=scores,
        maps=maps,
        masks=targets["mask"],
        weights=counts * has_mask[:, None, None, None],
        without_mask=[identities[row][1] for row in np.flatnonzero(labels & ~has_mask)],
        outside=outside,
    )


def _read_targets(targets, maps: np.ndarray, first: int) -> dict[str, np.ndarray]:
    """Returns targets as `Category.test` yields them, of images that are numbered from `first`."""
    if isinstance(targets, Mapping):
        for name in ("label", "mask", "has_mask", "index"):
            if name not in targets:
                raise InputError(
                    f"The targets of `dataset` have no {name!r}; give those of `Category.test`, "
                    "labels or masks."
                )
        return {name: np.asarray(value) for name, value in targets.items()}
    values = np.zeros(len(maps)) if targets is None else np.asarray(targets)
    if values.dtype.kind not in "buif":
        raise InputError(
            f"The targets of `dataset` must be numbers. Received: {values.dtype}; give labels "
            "(above 0 is defective) or masks."
        )
    index = first + np.arange(len(maps))
    if values.ndim >= 3:
        mask = values if values.ndim == 4 else values[..., None]
        label, has_mask = (mask > 0).any(axis=(1, 2, 3)), np.ones(len(mask), bool)
    elif values.size == len(maps):
        label = values.reshape(-1) > 0
        mask, has_mask = np.zeros_like(maps), ~label
    else:
        raise InputError(
            "The targets of `dataset` must be labels, one number an image, or masks (batch, height,"
            f" width, 1). Received: {values.shape}"
        )
    return {"label": label, "mask": mask, "has_mask": has_mask, "index": index}


def _refuse_not_finite(scores, maps, weights, indices, records) -> None:
    """Refuses a score or a map that is not finite, which no threshold can judge."""
    usable = np.isfinite(scores) & np.all(np.isfinite(maps) | (weights == 0), axis=(1, 2, 3))
    if np.all(usable):
        return
    index = int(indices[np.argmin(usable)])
    known = records is not None and 0 <= index < len(records)
    name = records[index].relative_path if known else f"test image {index}"
    raise InputError(
        f"The detector's score or map of {name} is not a number (NaN or infinite): its weights are "
        "damaged, so train again."
    )


def _identify(label: bool, index: int, records) -> tuple[str, str]:
    """Returns the group of an image and what to call the image."""
    if not label:
        return GOOD, ""
    if records is None:
        return DEFECTIVE, f"test image {index}"
    if not 0 <= index < len(records):
        raise InputError(
            f"`dataset` holds test image {index}, but `records` has {len(records)}; give the "
            "records that the dataset was made from."
        )
    return records[index].defect, records[index].relative_path


class _Decisions:
    """What follows from the detector's thresholds."""

    def __init__(self, detector):
        self.summary = detector.calibration_summary()
        self.threshold = float(detector.threshold)
        self.review_threshold = self.summary.get("review_threshold", self.threshold)
        self.pixel_threshold = float(detector.pixel_threshold)
        if not (math.isfinite(self.threshold) and math.isfinite(self.pixel_threshold)):
            raise InputError(NOT_CALIBRATED)
        thresholds = {"image": self.threshold, "pixel": self.pixel_threshold}
        self.metrics = {
            measure: measure.metric(thresholds[measure.kind], dtype="float64")
            for measure in quality_measures()
            if measure.at_threshold
        }
        self.decision = BalancedAccuracy(self.threshold, dtype="float64")
        self.review = BalancedAccuracy(self.review_threshold, dtype="float64")

    def update(self, batch: _Batch) -> None:
        for measure, metric in self.metrics.items():
            if measure.kind == "image":
                metric.update_state(batch.labels, batch.scores)
            else:
                metric.update_state(batch.masks, batch.maps, batch.weights)
        self.decision.update_state(batch.labels, batch.scores)
        self.review.update_state(batch.labels, batch.scores)

    def results(self, notes: dict[str, str]) -> dict[str, Any]:
        """Returns the metrics at the thresholds, the thresholds and the three rates."""
        values = {measure.name: float(metric.result()) for measure, metric in self.metrics.items()}
        reasons = {measure.name: self._reason(measure.kind) for measure in self.metrics}
        good, passed = float(self.decision.negatives), float(self.decision.true_negatives)
        stated = self.summary["false_alarm_rate"]
        rates = {
            **{name: stated[name] for name in _STATED},
            "observed": (good - passed) / good if good else None,
        }
        unstated = self.summary.get("note") or "the calibration states none"
        for name, rate in rates.items():
            if rate is None:
                reason = "no good test image" if name == "observed" else unstated
                notes[f"false_alarm_rate.{name}"] = reason
        return {
            **_with_notes(values, reasons, notes),
            "false_alarm_rate": rates,
            **self._review_results(notes),
            "threshold": self.threshold,
            "review_threshold": self.review_threshold,
            "pixel_threshold": self.pixel_threshold,
        }

    def intervals(self) -> dict[str, tuple[float, float] | None]:
        """Returns the 95 % intervals of the observed false-alarm rate and of the detection rate."""
        counts = self.decision
        return {
            "false_alarm_rate": clopper_pearson(
                int(counts.negatives) - int(counts.true_negatives), int(counts.negatives)
            ),
            "detection_rate": clopper_pearson(int(counts.true_positives), int(counts.positives)),
        }

    def _reason(self, kind: str) -> str:
        """Returns why a metric at a threshold would be undefined."""
        if float(self.decision.positives) == 0:
            return "no defective test image"
        if kind == "image":
            return "no good test image"
        return "no defective test image has a usable mask"

    def _review_results(self, notes: dict[str, str]) -> dict[str, Any]:
        """Returns the rates of the review band, and the shares of images that are in it."""
        rates = self.summary.get("review_rate")
        if rates is None:
            reason = "no review band: `kerasad calibrate RUN --review-rate P` sets one"
            notes.update(dict.fromkeys(("review_rate", "needs_review"), reason))
            return {"review_rate": None, "needs_review": None}
        decided, review = self.decision, self.review
        counts = {
            "good": (decided.true_negatives, review.true_negatives, review.negatives),
            "defective": (review.true_positives, decided.true_positives, review.positives),
        }
        shares = {}
        for name, variables in counts.items():
            most, least, every = map(float, variables)
            shares[name] = (most - least) / every if every else None
            if not every:
                notes[f"needs_review.{name}"] = f"no {name} test image"
        passed, good = float(review.true_negatives), float(review.negatives)
        observed = 1.0 - passed / good if good else None
        rates = {name: rates[name] for name in _STATED}
        return {"review_rate": {**rates, "observed": observed}, "needs_review": shares}


def _with_notes(values, reasons, notes, prefix: str = "") -> dict[str, float | None]:
    """Returns the values; an undefined one is None, and its reason goes to `notes`."""
    result = {}
    for name, value in values.items():
        result[name] = value if math.isfinite(value) else None
        if result[name] is None:
            notes[prefix + name] = reasons[name]
    return result


def _per_defect(groups: DefectGroups, records, notes) -> dict[str, dict[str, float | None]]:
    if records is None:
        if groups.defects:
            notes["per_defect"] = "needs the `records` of the test images"
        return {}
    table = {}
    for defect, (values, reasons) in groups.per_defect().items():
        row = _with_notes(values, reasons, notes, prefix=f"per_defect.{defect}.")
        table[defect] = {"num_images": groups.num_images[defect], **row}
    return table


def _counts(groups: DefectGroups) -> dict[str, int]:
    total, good = sum(groups.num_images.values()), groups.num_images.get(GOOD, 0)
    return {"num_images": total, "num_good_images": good, "num_defective_images": total - good}


def _time_detector(detector, inputs, repeats: int) -> float | None:
    """Returns the median milliseconds per image, fed from memory, without compiling."""
    if repeats < 1:
        return None
    dataset = tf.data.Dataset.from_tensors(inputs).repeat(repeats + 1)
    ticks = [time.perf_counter() for _ in detector.predict_stream(dataset)]
    durations = [after - before for before, after in itertools.pairwise(ticks)]
    return 1000.0 * statistics.median(durations) / len(unpack_inputs(inputs)[0])
