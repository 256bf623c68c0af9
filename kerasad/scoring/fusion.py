"""Chooses how much each expert counts, on synthetic defects of the choosing family."""

from dataclasses import dataclass

import numpy as np

# Steps of the greedy choice; a weight is a multiple of one over their number.
STEPS = 15
# In `FusionSample.kinds`.
GOOD = -1


@dataclass
class FusionSample:
    """Standardized maps of validation images, with and without synthetic defects.

    Attributes:
        maps: float32 `(n, h, w, experts)`, standardized for the pixels of a map.
        place_maps: float32 of the same shape, standardized for the score of an image.
        masks: bool `(n, h, w)`.
        valid: bool `(n, h, w)`; False where padded.
        kinds: int `(n,)`, the kind of each image's defect, `GOOD` without one.
    """

    maps: np.ndarray
    place_maps: np.ndarray
    masks: np.ndarray
    valid: np.ndarray
    kinds: np.ndarray


def choose_weights(sample: FusionSample, steps: int = STEPS) -> np.ndarray:
    """Returns the experts' weights, by greedy forward selection with replacement.

    Starting with nothing, each step adds the expert (again, if need be) whose addition to the sum
    gives the best objective; the weights are each expert's share of the steps of the best prefix.

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
    """Returns the mean of pixel AUROC, best pooled IoU and image AUROC of a fusion.

    Each kind of defect is measured against all good images, and the kinds are averaged: of which
    kind real defects will be is unknown, and in one pool the large and garish ones would decide
    alone. The pixels are every second one down and across; an image's score is the maximum of its
    place-by-place map.

    Args:
        sample: maps of good and synthetically defective validation images.
        weights: float array `(experts,)`.
    """
    weights = np.asarray(weights, "float32")
    thin = np.s_[:, ::2, ::2]
    masks, valid, maps = sample.masks[thin], sample.valid[thin], sample.maps[thin] @ weights
    defective = sample.masks.any(axis=(1, 2))
    scores = np.where(sample.valid, sample.place_maps @ weights, -np.inf).max(axis=(1, 2))
    values = []
    for kind in np.setdiff1d(sample.kinds, [GOOD]):
        rows = (sample.kinds == GOOD) | (sample.kinds == kind)
        inside = valid[rows]
        pixels = _ranked(masks[rows][inside], maps[rows][inside])
        images = _ranked(defective[rows], scores[rows])
        values.append((_auroc(pixels) + _best_iou(pixels) + _auroc(images)) / 3.0)
    return float(np.mean(values))


def _ranked(labels, scores):
    """Returns labels sorted by falling score."""
    return labels[np.argsort(-scores, kind="stable")]


def _auroc(ranked):
    positives = int(ranked.sum())
    negatives = len(ranked) - positives
    if positives == 0 or negatives == 0:
        return 0.5
    wrong_pairs = np.cumsum(~ranked)[ranked].sum(dtype="float64")
    return 1.0 - wrong_pairs / (positives * negatives)


def _best_iou(ranked):
    positives = int(ranked.sum())
    if positives == 0:
        return 0.0
    hits = np.cumsum(ranked)
    union = np.arange(1, len(ranked) + 1) + positives - hits
    return float(np.max(hits / union))
