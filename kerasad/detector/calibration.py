"""What a detector reads of good images when it is calibrated, and what it says of its experts."""

import numpy as np

from kerasad.errors import InputError


def measure_good_images(
    detector, dataset, verbose: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns what a calibration needs of good images. Nothing is decided, and nothing changes.

    Args:
        detector: `AnomalyDetector`, calibrated or not.
        dataset: iterable of inputs.
        verbose: 0 or 1. Whether to show progress.

    Returns:
        scores: float array `(n,)`.
        peaks: float array `(n,)`, see `map_peaks`.
        descriptors: float array `(n, numbers)`, see `CalibrationDescriptors`.
    """
    scores, peaks, descriptors = [np.empty(0, "float32")], [np.empty(0, "float32")], []
    for outputs, inputs, _ in detector.score_stream(dataset, verbose, "calibrating"):
        images, valid = detector.prepare(inputs)
        scores.append(outputs["anomaly_score"])
        peaks.append(map_peaks(outputs["anomaly_map"], valid))
        descriptors.append(detector.expert_maps.describe(images, valid))
    descriptors = np.concatenate(descriptors or [np.empty((0, 0))])
    return np.concatenate(scores), np.concatenate(peaks), descriptors


def map_peaks(anomaly_map, valid=None) -> np.ndarray:
    """Returns the maximum of each map over the pixels that count, `(batch,)`."""
    values = np.asarray(anomaly_map)
    if valid is not None:
        values = np.where(np.asarray(valid) > 0.5, values, -np.inf)
    return values.max(axis=(1, 2, 3))


def largest_of_groups(scores: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Returns one score for each group of images, its largest.

    Photos of one scene are one sample of scenes. The largest of their scores is at least that of
    any photo that would have been taken alone, so a threshold never promises too much for it.

    Args:
        scores: float array `(n,)`.
        groups: int array `(n,)`, equal numbers for images of one group; None: each is its own.

    Raises:
        InputError: If there are not as many groups as scores.
    """
    if groups is None:
        return scores
    groups = np.asarray(groups)
    if groups.shape != scores.shape:
        raise InputError(
            f"`groups` must have one number for each of the {len(scores)} calibration images. "
            f"Received shape: {groups.shape}"
        )
    _, places = np.unique(groups, return_inverse=True)
    largest = np.full(places.max(initial=-1) + 1, -np.inf, scores.dtype)
    np.maximum.at(largest, places, scores)  # a NaN stays one
    return largest


def summarize_experts(detector) -> dict[str, dict[str, float]]:
    """Returns by name of an expert its `weight`, `score_weight`, `mean` and `scale`."""
    scales = detector.map_calibration
    states = (detector.fusion_weights, detector.score_weights, scales.mean, scales.scale)
    names = ("weight", "score_weight", "mean", "scale")
    rows = np.stack([np.asarray(state) for state in states], axis=-1).tolist()
    return {
        expert.name: dict(zip(names, row, strict=True))
        for expert, row in zip(detector.experts, rows, strict=True)
    }
