"""Weights of the experts, chosen on a few real defects where they surely choose better."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kerasad.data.real_defects import MIN_DEFECTS
from kerasad.detector.adaptation import thinned
from kerasad.detector.frames import iterate_inputs
from kerasad.detector.fusion import (
    GOOD,
    GROUPS,
    SURE,
    FusionSample,
    choose_weights,
    image_objective,
    pixel_objective,
    take_rows,
)
from kerasad.errors import InputError

MAX_KINDS = 16
"""Groups of defects that are averaged; up to so many, each defect is its own."""
MAX_GOOD = 32
"""Good images that defects are compared with, evenly spaced."""
MAX_REVIEW_RATE = 0.2
"""Largest share of good images that a review band may take up for the sake of a defect."""


@dataclass(frozen=True)
class TunedWeights:
    """The weights that a few real defects leave.

    Attributes:
        pixels: float array `(experts,)`, of the map.
        score: float array `(experts,)`.
        num_defects: int.
        num_masks: int. Defects whose pixels are known.
        pixels_changed, score_changed: bool. Whether the defects surely chose better.
    """

    pixels: np.ndarray
    score: np.ndarray
    num_defects: int
    num_masks: int
    pixels_changed: bool
    score_changed: bool


def tune(detector, calibration, good: FusionSample, defects: Iterable) -> None:
    """Gives a detector the weights of `tune_weights`, and records that in its state `tuning`."""
    tuned = tune_weights(detector, calibration, good, defects)
    detector.fusion_weights.assign(tuned.pixels.astype("float32"))
    detector.score_weights.assign(tuned.score.astype("float32"))
    counts = tuned.num_defects, tuned.num_masks, tuned.pixels_changed, tuned.score_changed
    detector.tuning.assign(np.asarray(counts, "float32"))


def summarize_tuning(detector) -> dict | None:
    """Returns what `tune` has found, ready for JSON; None if no real defect was given.

    Returns:
        dict of `num_defects`, `num_masks`, `map_weights` and `score_weights` (bool: whether the
        defects have changed them), and `note`.
    """
    num_defects, num_masks, pixels, score = np.asarray(detector.tuning).astype(int).tolist()
    if not num_defects:
        return None
    changed = [name for name, moved in (("map", pixels), ("score", score)) if moved]
    if changed:
        what = f"weights of the {' and of the '.join(changed)} were chosen on them"
    else:
        what = "they choose no weights that are surely better, so all stay as they were"
    masks = "" if num_masks >= MIN_DEFECTS else "; fewer than 8 have a mask, which the map needs"
    return {
        "num_defects": num_defects,
        "num_masks": num_masks,
        "map_weights": bool(pixels),
        "score_weights": bool(score),
        "note": f"{num_defects} real defects were given: {what}{masks}.",
    }


def tune_weights(detector, calibration, good: FusionSample, defects: Iterable) -> TunedWeights:
    """Chooses weights on real defects, from those that the detector has.

    Each defect weighs the same: it is a kind of its own in `pixel_objective` and
    `image_objective`, where the choice is greedy (`choose_weights`). Weights move halfway from the
    former ones to the choice, and only if that is surely better on defects that did not take part:
    defects and good images are cut into up to 10 parts, the choice is made without each part, and
    the gain on it is measured. Its mean must be above `t * s / sqrt(g)`, where `g` is the number of
    parts, `s` the deviation of their gains, and `t` Student's quantile of `SURE` deviations.

    Args:
        detector: `AnomalyDetector` with fitted experts and weights.
        calibration: `MapCalibration` of its maps.
        good: `FusionSample` of good images that the experts have not seen.
        defects: batches of inputs, or of `(inputs, targets)`, see `read_defects`.

    Returns:
        `TunedWeights`. The map's weights stay without `MIN_DEFECTS` masks.

    Raises:
        InputError: There are fewer than `MIN_DEFECTS` images.
    """
    sample, masked = read_defects(detector, calibration, defects)
    kept = np.linspace(0, len(good.kinds) - 1, min(MAX_GOOD, len(good.kinds))).round().astype(int)
    good = take_rows(good, kept)
    former = [np.asarray(state, "float64") for state in detector_weights(detector)]
    num_masks = int(masked.sum())
    pixels, pixels_changed = former[0], False
    if num_masks >= MIN_DEFECTS:
        with_masks = _together(good, take_rows(sample, masked))
        pixels, pixels_changed = _move(with_masks, pixel_objective, former[0])
    score, score_changed = _move(_together(good, sample), image_objective, former[1])
    return TunedWeights(pixels, score, len(masked), num_masks, pixels_changed, score_changed)


def detector_weights(detector) -> tuple:
    """Returns the states of the weights, of the map and of the score."""
    return detector.fusion_weights, detector.score_weights


def read_defects(detector, calibration, defects) -> tuple[FusionSample, np.ndarray]:
    """Returns the maps of defective images, and which of them have a mask, bool `(n,)`.

    Args:
        detector, calibration: as in `tune_weights`.
        defects: batches of inputs, or of `(inputs, targets)`. Targets are masks `(batch, height,
            width, 1)`, or a dict of `mask` and `has_mask` as of `Category.test`; without targets,
            no image has a mask.

    Raises:
        InputError: There are fewer than `MIN_DEFECTS` images.
    """
    rows, masked = [], []
    for inputs, targets in iterate_inputs(defects):
        images, valid = detector.prepare(inputs)
        masks, known = _masks_of(targets, images)
        maps = calibration(detector.expert_maps.compute(images, valid))
        rows.append(thinned(detector, maps, masks, valid))
        masked.append(known)
    count = sum(map(len, masked))
    if count < MIN_DEFECTS:
        raise InputError(
            f"At least {MIN_DEFECTS} different defective images are needed to choose weights on. "
            f"Received: {count}"
        )
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    order = np.arange(count)
    return FusionSample(*columns, order % MAX_KINDS, order), np.concatenate(masked)


def good_sample(detector, calibration, batches) -> FusionSample:
    """Returns a `FusionSample` of maps of good images.

    Args:
        detector: `AnomalyDetector`.
        calibration: `MapCalibration`.
        batches: iterable of maps before they are standardized, and `valid` or None.
    """
    rows = []
    for maps, valid in batches:
        masks = np.zeros((len(maps), *detector.image_size, 1), "float32")
        rows.append(thinned(detector, calibration(maps), masks, valid))
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    count = len(columns[0])
    return FusionSample(*columns, np.full(count, GOOD), np.arange(count))


def choose_review_rate(
    scores: np.ndarray, good_scores: np.ndarray, false_alarm_rate: float
) -> float | None:
    """Returns the smallest review rate that catches the real defects below the threshold.

    It is the largest p-value of a defect, of those above the false-alarm rate and at most
    `MAX_REVIEW_RATE`; None if there is none.

    Args:
        scores: float array, of defective images.
        good_scores: float array, the calibration scores.
        false_alarm_rate: float.
    """
    reached = (good_scores[None] >= scores[:, None]).sum(axis=1)
    p_values = (1.0 + reached) / (len(good_scores) + 1.0)
    missed = p_values[(p_values > false_alarm_rate) & (p_values <= MAX_REVIEW_RATE)]
    return float(missed.max()) if len(missed) else None


def _masks_of(targets, images):
    """Returns masks at the size of the images, and which images have one."""
    if targets is None:
        return np.zeros_like(images[..., :1]), np.zeros(len(images), bool)
    masks = targets["mask"] if isinstance(targets, dict) else targets
    masks = np.asarray(masks, "float32")
    if masks.shape != (*images.shape[:3], 1):
        raise InputError(
            f"Masks of `defects` must be {(*images.shape[:3], 1)}, as the detector's images. "
            f"Received: {masks.shape}"
        )
    known = (masks > 0.5).any(axis=(1, 2, 3))
    return masks, known & np.asarray(targets["has_mask"]) if isinstance(targets, dict) else known


def _together(good, defects) -> FusionSample:
    """Returns both in one sample, with the part of each image as its source."""
    count, parts = len(good.kinds), min(GROUPS, len(good.kinds), len(defects.kinds))
    columns = {
        name: np.concatenate([getattr(good, name), getattr(defects, name)])
        for name in ("maps", "place_maps", "masks", "valid", "kinds")
    }
    sources = np.concatenate([np.arange(count), np.arange(len(defects.kinds))]) % parts
    return FusionSample(**columns, sources=sources)


def _move(sample, aim, former) -> tuple[np.ndarray, bool]:
    """Returns the weights halfway to the choice, or the former ones if it is not surely better."""
    from scipy.special import ndtr, stdtrit

    parts = np.unique(sample.sources)
    if len(parts) < 3:
        return former, False
    gains = []
    for part in parts:
        inside = sample.sources == part
        weights = _halfway(take_rows(sample, ~inside), aim, former)
        unseen = take_rows(sample, inside)
        gains.append(aim(unseen, weights) - aim(unseen, former))
    error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    if not np.mean(gains) > stdtrit(len(gains) - 1, ndtr(SURE)) * error:
        return former, False
    return _halfway(sample, aim, former), True


def _halfway(sample, aim, former):
    return (choose_weights(sample, aim, former) + former) / 2.0
