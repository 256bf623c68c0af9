"""The weights of the experts, chosen on synthetic defects of the choosing family."""

from dataclasses import dataclass, fields

import numpy as np
import tensorflow as tf

from kerasad.metrics.curves import area_under_roc, best_f1, f1_to_iou
from kerasad.tracing import compiled

STEPS = 15
"""Steps of the greedy choice; a weight is a multiple of one over their number."""
GROUPS = 10
"""Groups of images that the standard error of a gain is measured with."""
SURE = 2.0
"""A gain of more standard errors than this counts as significant."""
GOOD = -1
"""Stands in `FusionSample.kinds` for an image without a defect."""
# Weight of the distance from the prior: so small that it only decides between equal objectives.
_TIE = 1e-4


@dataclass
class FusionSample:
    """Standardized maps of validation images, with and without synthetic defects.

    Attributes:
        maps: float32 `(n, h, w, experts)`, standardized for the pixels of a map.
        place_maps: float32 of the same shape, standardized for the score of an image.
        masks: bool `(n, h, w)`.
        valid: bool `(n, h, w)`; False where padded.
        kinds: int `(n,)`, the kind of each image's defect, `GOOD` without one.
        sources: int `(n,)`, the validation image that each was made from.
    """

    maps: np.ndarray
    place_maps: np.ndarray
    masks: np.ndarray
    valid: np.ndarray
    kinds: np.ndarray
    sources: np.ndarray


def fuse(
    sample: FusionSample, degrees, rates_images=None, votes=None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the experts' weights for pixels and for the score of an image.

    If no expert says how many values it sums up (`Expert.degrees`) and none has a vote
    (`Expert.vote`), both are `choose_weights`.

    Otherwise there is a prior, and the weights are the mean of it and of `choose_weights`; real
    defects are of unknown kinds, and synthetic ones favour fine scales. They are the prior alone if
    the choice gains no more than `SURE` standard errors, see `measure_gain`, or as many more as
    Student's t demands of few images. The threshold is that high because the choice is the best of
    many.

    The prior for pixels is `w ~ sqrt(d)`: the sum of squared distances of independent Gaussians,
    each standardized. For the score, a maximum over places, it is equal weights for the experts
    with the most values: joint models of all scales, on the coarsest grid, which has the fewest
    places at which noise could be the maximum; and for those whose maximum says of itself whether
    an image is defective, see `Expert.rates_images`. Where no expert sums up a known number, both
    priors are the votes.

    Args:
        sample: maps of good and synthetically defective validation images.
        degrees: list of int, one for each expert; 0 if unknown.
        rates_images: list of bool, see `Expert.rates_images`, or None if no expert does.
        votes: list of float >= 0, see `Expert.vote`, or None if no expert has one.

    Returns:
        pixel_weights, score_weights: float64 `(experts,)`, >= 0, sum 1.
    """
    if not any(degrees) and not any(votes or ()):
        weights = choose_weights(sample)
        return weights, weights
    pixel_prior, score_prior = prior_weights(degrees, rates_images, votes)
    return (
        _shrunk(sample, pixel_objective, pixel_prior),
        _shrunk(sample, image_objective, score_prior),
    )


def prior_weights(degrees, rates_images=None, votes=None) -> tuple[np.ndarray, np.ndarray]:
    """Returns the weights for pixels and for the score before anything is measured, see `fuse`.

    They are equal if no expert says how many values it sums up and none has a vote.
    """
    degrees = np.asarray(degrees, "float64")
    if not degrees.any():
        votes = np.asarray(votes if any(votes or ()) else np.ones_like(degrees), "float64")
        return votes / votes.sum(), votes / votes.sum()
    pixel_prior = np.sqrt(degrees)
    # An expert of unknown degrees gets the mean of the others.
    pixel_prior[degrees == 0] = pixel_prior[degrees > 0].mean()
    score_prior = (degrees == degrees.max()).astype("float64")
    if rates_images is not None:
        score_prior[np.asarray(rates_images, bool)] = 1.0
    return pixel_prior / pixel_prior.sum(), score_prior / score_prior.sum()


def _shrunk(sample, aim, prior):
    """Returns the mean of choice and prior, or the prior alone if the gain may be chance."""
    from scipy.special import ndtr, stdtrit

    choice = choose_weights(sample, aim, prior)
    gain, error, degrees = measure_gain(sample, aim, choice, prior)
    return (choice + prior) / 2.0 if gain > stdtrit(degrees, ndtr(SURE)) * error else prior


def choose_weights(sample: FusionSample, aim=None, prior: np.ndarray | None = None) -> np.ndarray:
    """Returns the experts' weights, by greedy forward selection with replacement.

    Starting from nothing, each step adds the expert (perhaps again) that makes the objective of
    the sum largest. The weights are each expert's share of the steps up to the best one.

    Args:
        sample: maps of good and synthetically defective validation images.
        aim: function of a sample and weights, to be maximized. Defaults to `objective`.
        prior: float array `(experts,)` or None. Of equally good weights, the nearest to it win.

    Returns:
        weights: float64 `(experts,)`, >= 0, sum 1.

    Reference: Caruana et al., "Ensemble selection from libraries of models", ICML 2004.
    """
    aim = aim or objective
    experts = sample.maps.shape[-1]

    def value_of(counts):
        weights = counts / counts.sum()
        near = 0.0 if prior is None else -_TIE * np.abs(weights - prior).sum()
        return aim(sample, weights) + near

    counts = np.zeros(experts)
    best_counts, best_value = None, -np.inf
    for _ in range(STEPS):
        values = []
        for expert in range(experts):
            counts[expert] += 1
            values.append(value_of(counts))
            counts[expert] -= 1
        winner = int(np.argmax(values))
        counts[winner] += 1
        if values[winner] > best_value:
            best_value, best_counts = values[winner], counts.copy()
    return best_counts / best_counts.sum()


def objective(sample: FusionSample, weights: np.ndarray, score_weights=None) -> float:
    """Returns the mean of pixel AUROC, best pooled IoU and image AUROC of a fusion.

    Each kind of defect is measured against all good images, and the kinds are averaged: the kind of
    real defects is unknown, and in one pool the large and garish ones would decide alone. Every
    second pixel down and across is used. An image's score is the maximum of its place-by-place map.

    Weights are float arrays `(experts,)`; those of the score default to the others.
    """
    score_weights = weights if score_weights is None else score_weights
    pixels, images = pixel_objective(sample, weights), image_objective(sample, score_weights)
    return (2.0 * pixels + images) / 3.0


def pixel_objective(sample: FusionSample, weights: np.ndarray) -> float:
    """Returns the mean of pixel AUROC and best pooled IoU, see `objective`."""
    thin = np.s_[:, ::2, ::2]
    masks, valid = sample.masks[thin], sample.valid[thin]
    maps = sample.maps[thin] @ np.asarray(weights, "float32")
    values = []
    for rows in _rows_of_kinds(sample):
        inside = valid[rows]
        auroc, iou = _measure(masks[rows][inside], maps[rows][inside])
        values.append((auroc + iou) / 2.0)
    return _mean(values)


def image_objective(sample: FusionSample, weights: np.ndarray) -> float:
    """Returns the image AUROC, see `objective`."""
    place_map = sample.place_maps @ np.asarray(weights, "float32")
    scores = np.where(sample.valid, place_map, -np.inf).max(axis=(1, 2))
    # Not by its mask: thinning may have removed a thin defect.
    defective = sample.kinds != GOOD
    return _mean([_measure(defective[rows], scores[rows])[0] for rows in _rows_of_kinds(sample)])


def measure_gain(sample: FusionSample, aim, weights, other) -> tuple[float, float, int]:
    """Returns by how much an aim is better with `weights` than with `other`, and how surely.

    `error^2 = (g - 1) / g * sum_i (gain_i - mean)^2`, where `gain_i` is the gain without the
    `i`-th of `g` groups of validation images and the defective images made from them, and `mean`
    the mean of the `gain_i`.

    Args:
        sample: maps of good and synthetically defective validation images.
        aim: function of a sample and weights, such as `pixel_objective`.
        weights, other: float arrays `(experts,)`.

    Returns:
        gain, error: floats. The standard error is inf with fewer than three validation images: the
            gains of two are too often equal by chance.
        degrees: int, the error's degrees of freedom, `g - 1`.

    Reference: the delete-a-group jackknife, see Kott, Journal of Official Statistics 17 (2001).
    """

    def gain_of(part):
        return aim(part, weights) - aim(part, other)

    images = np.unique(sample.sources)
    if len(images) < 3:
        return gain_of(sample), np.inf, 1
    groups = [images[start::GROUPS] for start in range(min(GROUPS, len(images)))]
    gains = [gain_of(take_rows(sample, ~np.isin(sample.sources, group))) for group in groups]
    error = np.sqrt((len(gains) - 1) * np.var(gains))
    return gain_of(sample), float(error), len(gains) - 1


def take_rows(sample: FusionSample, rows) -> FusionSample:
    """Returns some images of a sample."""
    return FusionSample(*(getattr(sample, field.name)[rows] for field in fields(sample)))


def _rows_of_kinds(sample):
    """Yields for each kind of defect which images are good or of that kind."""
    for kind in np.setdiff1d(sample.kinds, [GOOD]):
        yield (sample.kinds == GOOD) | (sample.kinds == kind)


def _mean(values):
    """Returns the mean over the kinds of defects; 0.5 without any, as of a coin."""
    return float(np.mean(values)) if values else 0.5


def _measure(labels, scores):
    """Returns AUROC and best IoU; 0.5 and 0 where they are not defined.

    Of equal scores, those of good images count as the higher ones: they come first in a sample.
    """
    anomalous = labels[np.argsort(-scores, kind="stable")][::-1].astype("float64")
    auroc, f1 = (float(value) for value in _curves(1.0 - anomalous, anomalous))
    return 0.5 if np.isnan(auroc) else auroc, 0.0 if np.isnan(f1) else f1_to_iou(f1)


# Called about a thousand times for one detector.
_curves = compiled(
    lambda normal, anomalous: (area_under_roc(normal, anomalous), best_f1(normal, anomalous)),
    input_signature=[tf.TensorSpec((None,), "float64")] * 2,
)
