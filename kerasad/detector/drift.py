"""Whether new good images still look like those that set the thresholds."""

import math

import numpy as np

from kerasad.detector.batches import as_batches
from kerasad.detector.conformal import ON_CROPS_NOTE
from kerasad.errors import InputError

MIN_IMAGES = 5
"""Fewer images, on either side, show nothing."""
PERMUTATIONS = 1999
LEVELS = (0.002, 0.5)
"""Smallest and largest level: the smallest p-value of 1999 permutations is 0.0005."""


def measure_drift(detector, dataset, level: float = 0.05, verbose: int = 1) -> dict:
    """Compares new good images with those that a detector was calibrated on. It changes nothing.

    Args:
        detector: a calibrated `AnomalyDetector`.
        dataset: good images that the detector has not seen, as `AnomalyDetector.calibrate` takes
            them.
        level: float. Largest probability of reporting drift although nothing has changed.
        verbose: 0 or 1. Whether to show progress.

    Returns:
        dict: as in `compare_images`, and `tensor` (what the descriptors are made of) and
        `false_alarms` (the share of the new images that is called defective).

    Raises:
        InputError: If there are too few images on either side, the detector is not calibrated or
            calibrated on crops of one photo, or the level is out of range.
    """
    check_level(level)
    detector.decision.require_calibration()
    if detector.decision.on_crops:
        raise InputError(f"{ON_CROPS_NOTE} Nothing can be compared with them.")
    known = detector.decision.stored_scores()
    _check_count(len(known), "calibration")
    scores, called, descriptors = [], [], []
    for outputs, inputs, _ in detector.predict_stream(
        as_batches(dataset, "dataset"), verbose, "checking"
    ):
        scores.append(outputs["anomaly_score"])
        called.append(outputs["is_anomalous"])
        descriptors.append(detector.expert_maps.describe(*detector.prepare(inputs)))
    _check_count(sum(map(len, scores)), "new")
    new = detector.descriptors.choose(np.concatenate(descriptors))
    found = compare_images(known, np.concatenate(scores), detector.descriptors.stored(), new, level)
    return {
        **found,
        "tensor": detector.descriptors.tensor,
        "false_alarms": float(np.concatenate(called).mean()),
    }


def compare_images(
    scores: np.ndarray,
    new_scores: np.ndarray,
    descriptors: np.ndarray,
    new_descriptors: np.ndarray,
    level: float = 0.05,
    permutations: int = PERMUTATIONS,
) -> dict:
    """Tests whether calibration images and new ones come from one distribution.

    There are two tests: Kolmogorov-Smirnov on the anomaly scores, and `energy_test` on the
    descriptors. Their p-values are adjusted by Holm's method, and there is drift if one is at most
    `level`. If all images are independent and of one distribution, that has a probability of at
    most `level`.

    Args:
        scores, new_scores: float arrays `(n,)` of calibration images and `(m,)` of new ones.
        descriptors, new_descriptors: float arrays `(images, numbers)` of all or some of them.
        level: float.
        permutations: int. Permutations of the test on descriptors.

    Returns:
        dict, ready for JSON: `drift` (bool), `level`, `num_images` (m), `num_calibration_images`
        (n), `scores` and `features`. The last two are dicts of `statistic`, `p_value` and
        `adjusted_p_value`; `scores` also has `median` and `calibration_median`.

    Raises:
        InputError: If a side has fewer than five images, or both so few that no p-value can reach
            the level.

    Reference: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    from scipy import stats

    check_level(level)
    _check_count(len(scores), "calibration")
    _check_count(len(new_scores), "new")
    total, new = len(descriptors) + len(new_descriptors), len(new_descriptors)
    if 2 / math.comb(total, new) > level / 2:
        raise InputError(
            f"{new} new images compared with {len(descriptors)} calibration images cannot show "
            f"drift at a level of {level}; give more images or a higher level."
        )
    by_score = stats.ks_2samp(new_scores, scores)
    distance, p_value = energy_test(descriptors, new_descriptors, permutations)
    adjusted = adjust_p_values([float(by_score.pvalue), p_value])
    return {
        "drift": min(adjusted) <= level,
        "level": level,
        "num_images": len(new_scores),
        "num_calibration_images": len(scores),
        "scores": {
            "statistic": float(by_score.statistic),
            "p_value": float(by_score.pvalue),
            "adjusted_p_value": adjusted[0],
            "median": float(np.median(new_scores)),
            "calibration_median": float(np.median(scores)),
        },
        "features": {
            "statistic": distance,
            "p_value": p_value,
            "adjusted_p_value": adjusted[1],
        },
    }


def energy_test(
    one: np.ndarray, two: np.ndarray, permutations: int = PERMUTATIONS
) -> tuple[float, float]:
    """Tests by permutation whether two sets of vectors come from one distribution.

    `E = 2 mean |x - y| - mean |x - x'| - mean |y - y'|`, where x and x' are of one set, y and y' of
    the other, and distances are Euclidean. Each number is first divided by its standard deviation
    over both sets together, which does not depend on the division into sets. `p = (1 + number of
    permutations with at least this E) / (1 + permutations)`.

    Args:
        one, two: float arrays `(n, numbers)` and `(m, numbers)`.
        permutations: int.

    Returns:
        statistic, p_value: floats, at least 0 (except for rounding) and in (0, 1].

    Reference: Szekely and Rizzo, "Testing for equal distributions in high dimension", 2004.
    """
    pooled = np.concatenate([one, two]).astype("float64")
    deviation = pooled.std(axis=0)
    moving = deviation > 1e-6 * np.abs(pooled).max(axis=0, initial=0.0)
    pooled = (pooled[:, moving] - pooled[:, moving].mean(axis=0)) / deviation[moving]
    squares = np.sum(pooled**2, axis=1)
    distances = squares[:, None] + squares - 2 * pooled @ pooled.T
    distances = np.sqrt(np.maximum(distances, 0.0))
    np.fill_diagonal(distances, 0.0)
    generator = np.random.default_rng(0)
    first = np.zeros((permutations + 1, len(pooled)))
    first[0, : len(one)] = 1.0
    for row in first[1:]:
        row[generator.permutation(len(pooled))[: len(one)]] = 1.0
    energies = _energies(first, distances, len(one), len(two))
    # Permutations that differ by rounding alone are equal.
    reached = np.sum(energies[1:] >= energies[0] - 1e-9 * max(1.0, abs(energies[0])))
    return float(energies[0]), float((1 + reached) / (1 + permutations))


def adjust_p_values(p_values: list[float]) -> list[float]:
    """Returns p-values adjusted by Holm's method, which rejects those of at most the level.

    The i-th smallest of k becomes the largest of `(k + 1 - j) p_j` over the `j <= i` smallest, but
    at most 1.
    """
    order = np.argsort(p_values, kind="stable")
    adjusted, least = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = float(least)
    return adjusted


def describe_drift(found: dict) -> str:
    """Returns the result of `measure_drift` in sentences."""
    new, known = found["num_images"], found["num_calibration_images"]
    if found["drift"]:
        named = {"scores": "anomaly scores", "features": "features"}
        which = [named[key] for key in named if found[key]["adjusted_p_value"] <= found["level"]]
        text = (
            f"Drift: the {new} new images do not look like the {known} calibration images, by "
            f"their {' and '.join(which)}."
        )
    else:
        text = f"No drift found: the {new} new images look like the {known} calibration images."
    scores, features = found["scores"], found["features"]
    return (
        f"{text}\n"
        f"Anomaly scores: median {scores['median']:.3g}, calibration "
        f"{scores['calibration_median']:.3g}; Kolmogorov-Smirnov {scores['statistic']:.3f}, "
        f"p = {scores['p_value']:.2g}.\n"
        f"Features ({found['tensor']}): energy distance {features['statistic']:.3g}, "
        f"p = {features['p_value']:.2g}.\n"
        f"It is drift if the smaller p is at most {found['level'] / 2:.3g}, half the level. "
        f"{found['false_alarms']:.1%} of the new images are called defective."
    )


def _energies(first, distances, count, others):
    """Returns the energy distance of each row of `first`, which is 1 for members of one set."""
    towards = first @ distances
    within = np.sum(towards * first, axis=1)
    across = np.sum(towards, axis=1) - within
    rest = distances.sum() - within - 2 * across
    return 2 * across / (count * others) - within / count**2 - rest / others**2


def check_level(level: float) -> None:
    """Raises an `InputError` unless the level is in `LEVELS`."""
    if not LEVELS[0] <= level <= LEVELS[1]:
        raise InputError(f"`level` must be from {LEVELS[0]} to {LEVELS[1]}. Received: {level}")


def _check_count(count, kind):
    if count < MIN_IMAGES:
        raise InputError(
            f"There are {count} {kind} images, and fewer than {MIN_IMAGES} tell nothing; give more "
            "good images."
        )
