"""Curves to draw, from scores or from the counts that a metric keeps."""

import numpy as np


def roc_from_scores(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ROC curve of a few scores, each its own threshold.

    Returns:
        False-positive and true-positive rates, float arrays rising from 0 to 1.
    """
    values, position = np.unique(scores, return_inverse=True)
    normal = np.bincount(position, weights=labels == 0, minlength=len(values))
    anomalous = np.bincount(position, weights=labels == 1, minlength=len(values))
    return roc_from_counts(normal, anomalous)


def roc_from_counts(normal: np.ndarray, anomalous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ROC curve of counts a bin of ascending scores.

    Returns:
        False-positive and true-positive rates, float arrays rising from 0 to 1.
    """
    return _from_above(normal, normal.sum()), _from_above(anomalous, anomalous.sum())


def pro_from_counts(
    normal: np.ndarray, shares: np.ndarray, num_regions: float
) -> tuple[np.ndarray, np.ndarray]:
    """The per-region overlap curve.

    Args:
        normal: float array (bins,). Normal pixels by ascending score.
        shares: float array (bins,). Sum of 1 / (area of its region) over the anomalous pixels.
        num_regions: float. Number of regions.

    Returns:
        False-positive rates of pixels and mean overlap per region, rising from 0 to 1.
    """
    return _from_above(normal, normal.sum()), _from_above(shares, num_regions)


def thin(*curve: np.ndarray, points: int = 2000) -> list[np.ndarray]:
    """At most `points` points of a curve, first and last included: more cannot be seen."""
    if len(curve[0]) <= points:
        return list(curve)
    # Even steps along the curve's length, not along its bins, most of which are in the tail.
    steps = sum(np.abs(np.diff(axis, prepend=axis[0])) for axis in curve)
    length = np.cumsum(steps)
    chosen = np.searchsorted(length, np.linspace(0, length[-1], points))
    return [axis[np.unique(np.append(chosen, len(axis) - 1))] for axis in curve]


def _from_above(counts: np.ndarray, total: float) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(counts[::-1])]) / max(total, 1e-300)
