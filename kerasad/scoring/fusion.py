"""Chooses how much each expert counts, on synthetic defects of the choosing family."""

from dataclasses import dataclass

import numpy as np

# Steps of the greedy choice; a weight is a multiple of 1 / STEPS.
STEPS = 20


@dataclass
class FusionSample:
    """Standardized maps of validation images, with and without synthetic defects.

    Attributes:
        maps: float32 `(n, h, w, experts)`, standardized over all places.
        place_maps: float32 of the same shape, standardized place by place.
        masks: bool `(n, h, w)`.
        valid: bool `(n, h, w)`; False where padded.
    """

    maps: np.ndarray
    place_maps: np.ndarray
    masks: np.ndarray
    valid: np.ndarray


def choose_weights(sample: FusionSample, steps: int = STEPS) -> np.ndarray:
    """Returns the experts' weights, by greedy forward selection with replacement.

    Starting with nothing, each step adds the expert (again, if need be) whose addition to the sum
    gives the best objective; the weights are each expert's share of the steps of the best prefix.
    The objective is the mean of pixel AUROC, pixel average precision and image AUROC on the
    synthetic defects; the image score is the maximum of the place-by-place map.

    Args:
        sample: maps of good and synthetically defective validation images.
        steps: int.

    Returns:
        weights: float64 `(experts,)`, >= 0, sum 1.

    Reference: Caruana et al., "Ensemble selection from libraries of models", ICML 2004.
    """
    experts = sample.maps.shape[-1]
    counts = np.zeros(experts)
    best_counts, best_value = None, -np.inf
    for _ in range(steps):
        values = []
        for expert in range(experts):
            counts[expert] += 1
            values.append(objective(sample, counts / counts.sum()))
            counts[expert] -= 1
        winner = int(np.argmax(values))
        counts[winner] += 1
        if values[winner] > best_value:
            best_value, best_counts = values[winner], counts.copy()
    return best_counts / best_counts.sum()


def objective(sample: FusionSample, weights: np.ndarray) -> float:
    """Returns the mean of pixel AUROC, pixel average precision and image AUROC of a fusion."""
    weights = weights.astype("float32")
    labels = sample.masks[sample.valid]
    order = np.argsort(-(sample.maps @ weights)[sample.valid], kind="stable")
    image_labels = sample.masks.any(axis=(1, 2))
    scores = np.where(sample.valid, sample.place_maps @ weights, -np.inf).max(axis=(1, 2))
    image_order = np.argsort(-scores, kind="stable")
    ranked = labels[order]
    return (_auroc(ranked) + _average_precision(ranked) + _auroc(image_labels[image_order])) / 3.0


def _auroc(ranked):
    """Returns the area under the ROC curve of labels sorted by falling score."""
    positives = ranked.sum()
    negatives = len(ranked) - positives
    if positives == 0 or negatives == 0:
        return 0.5
    before = np.cumsum(~ranked)[ranked].sum(dtype="float64")
    return 1.0 - before / (float(positives) * float(negatives))


def _average_precision(ranked):
    positives = ranked.sum()
    if positives == 0:
        return 0.0
    positions = np.flatnonzero(ranked) + 1.0
    return float(np.mean(np.arange(1, positives + 1) / positions))
