"""Chooses how much each expert counts, on synthetic defects of the choosing family."""

from dataclasses import dataclass

import numpy as np

# Steps of the greedy choice; a weight is a multiple of one over their number.
STEPS = 15


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


@dataclass(frozen=True)
class Fusion:
    """How expert maps are added up.

    Attributes:
        weights: float64 `(experts,)`, >= 0, sum 1.
        map_by_place: bool. Whether the `anomaly_map` adds the maps standardized place by place
            too, and not only the score.
        value: float in [0, 1]. The objective reached.
    """

    weights: np.ndarray
    map_by_place: bool
    value: float


def choose_fusion(sample: FusionSample, steps: int = STEPS) -> Fusion:
    """Returns the better of both standardizations of the map, each with weights of its own."""
    choices = [_choose_weights(sample, by_place, steps) for by_place in (False, True)]
    return max(choices, key=lambda choice: choice.value)


def _choose_weights(sample, map_by_place, steps):
    """Greedy forward selection with replacement.

    Starting with nothing, each step adds the expert (again, if need be) whose addition to the sum
    gives the best objective; the weights are each expert's share of the steps of the best prefix.

    Reference: Caruana et al., "Ensemble selection from libraries of models", ICML 2004.
    """
    experts = sample.maps.shape[-1]
    counts = np.zeros(experts)
    best_counts, best_value = None, -np.inf
    for _ in range(steps):
        values = []
        for expert in range(experts):
            counts[expert] += 1
            values.append(objective(sample, counts / counts.sum(), map_by_place))
            counts[expert] -= 1
        winner = int(np.argmax(values))
        counts[winner] += 1
        if values[winner] > best_value:
            best_value, best_counts = values[winner], counts.copy()
    return Fusion(best_counts / best_counts.sum(), map_by_place, float(best_value))


def objective(sample: FusionSample, weights: np.ndarray, map_by_place: bool = False) -> float:
    """Returns the mean of pixel AUROC, best pooled IoU and image AUROC of a fusion.

    The pixels are every second one down and across; an image's score is the maximum of its
    place-by-place map.

    Args:
        sample: maps of good and synthetically defective validation images.
        weights: float array `(experts,)`.
        map_by_place: bool. Which maps the pixel measures read.
    """
    weights = np.asarray(weights, "float32")
    maps = sample.place_maps if map_by_place else sample.maps
    thin = np.s_[:, ::2, ::2]
    valid = sample.valid[thin]
    ranked = _ranked(sample.masks[thin][valid], (maps[thin] @ weights)[valid])
    scores = np.where(sample.valid, sample.place_maps @ weights, -np.inf).max(axis=(1, 2))
    images = _ranked(sample.masks.any(axis=(1, 2)), scores)
    return (_auroc(ranked) + _best_iou(ranked) + _auroc(images)) / 3.0


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
