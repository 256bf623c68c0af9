"""Statistics of all good images, and scores of each by statistics that have not seen it."""

import numpy as np

from kerasad.data.folds import fold_by_group
from kerasad.data.geometry import unpack_inputs
from kerasad.detector.batches import Batches
from kerasad.detector.calibration import largest_of_groups, map_peaks
from kerasad.detector.conformal import check_rates
from kerasad.detector.experts import trust
from kerasad.detector.fold_networks import FoldNetworks
from kerasad.detector.frames import iterate_inputs
from kerasad.detector.fusion import prior_weights
from kerasad.detector.left_out import LeftOutLimits, NetworkTensors, TensorBatches, read_left_out
from kerasad.detector.map_calibration import build_map_calibration
from kerasad.detector.real_defects import MAX_GOOD, good_sample, tune
from kerasad.detector.unusual import LeftOutScores, most_unusual
from kerasad.errors import InputError
from kerasad.tracing import compiled_for_batches

MIN_GROUPS_OF_UPDATE = 5
"""Groups of images that an update needs: fewer set no threshold worth the name."""


def fit_crosswise(
    detector,
    images: Batches,
    groups=None,
    folds=None,
    rates=(0.05, None),
    verbose: int = 0,
    networks: FoldNetworks | None = None,
    limits: LeftOutLimits = LeftOutLimits(),
    defects: Batches | None = None,
) -> LeftOutScores:
    """Fits a detector's experts to all images, and its scales and thresholds to left-out maps.

    For each fold, further experts learn from the images of the other folds. They make the maps of
    the fold's images, so that every map is of experts that have not seen the image. Scales are
    measured on all these maps. An image's score is standardized with scales of the other folds'
    maps, so that it shares nothing with its image. The weights of the experts are those of
    `prior_weights`, unless real defects choose better ones.

    Args:
        detector: `AnomalyDetector` without tiles.
        images: batches of images of the model's size, the same every time.
        groups: int array `(images,)`, or None if every image is its own.
        folds: int >= 2 or None, see `fold_by_group`.
        rates: false-alarm rate and review rate, see `conformal_rules`.
        verbose: 0 or 1.
        networks: `FoldNetworks` or None. Networks of the model that have not seen an image make
            its map. None: the model has no `trained_weights`.
        limits: `LeftOutLimits`.
        defects: batches of defective images or None, see `tune_weights`.

    Returns:
        `LeftOutScores` of the images.

    Raises:
        InputError: If the detector cuts tiles, a rate is out of range, there are fewer than two
            groups, or not as many images as `groups`; or if the model was trained and `networks`
            is None.
    """
    groups = _check(detector, images, groups, rates)
    if networks is None and detector.model.trained_weights:
        raise InputError(
            f"{type(detector.model).__name__} may have been trained on these images; give "
            "`networks` that were trained without them, or call `adapt` and `calibrate` with "
            "different images, or set `model.trainable = False` if other images trained it."
        )
    weights, score_weights = crosswise_weights(detector.experts)
    detector.fusion_weights.assign(weights.astype("float32"))
    detector.score_weights.assign(score_weights.astype("float32"))
    if networks is not None and len(networks.fold_of) != len(groups):
        raise InputError(
            f"`networks` must be of the same {len(groups)} images. "
            f"Received: networks of {len(networks.fold_of)}"
        )
    detector.tuning.assign(np.zeros(4, "float32"))
    options = {"networks": networks, "limits": limits, "defects": defects}
    return _compare(*_fit(detector, images, groups, folds, rates, verbose, **options))


def crosswise_weights(experts) -> tuple[np.ndarray, np.ndarray]:
    """Returns the experts' weights for pixels and for the score, see `fit_crosswise`.

    Args:
        experts: list of built `Expert` layers.
    """
    # Votes are of players; what is fitted crosswise is statistics, with networks or without.
    degrees, rates_images, _ = trust(experts)
    return prior_weights(degrees, rates_images)


def update_crosswise(
    detector, images: Batches, groups=None, folds=None, rates=(0.05, None), verbose: int = 0
) -> None:
    """Lets a detector learn from further images too, and calibrates it with these.

    As `fit_crosswise`, but all statistics go on from those that the detector has: the experts that
    score a fold have learnt from the former images and from the other folds of the new ones. Scales
    are measured on left-out maps of both. The former images need not be there, so the thresholds
    are those of the new ones alone. The weights of the experts stay.

    Args:
        detector: calibrated `AnomalyDetector` without tiles.
        images, groups, folds, rates, verbose: as in `fit_crosswise`.

    Raises:
        InputError: As `fit_crosswise`; or if the detector is not calibrated, there are fewer than
            `MIN_GROUPS_OF_UPDATE` groups, or an expert cannot go on.
    """
    detector.decision.require_calibration()
    groups = _check(detector, images, groups, rates)
    count = len(np.unique(groups))
    if count < MIN_GROUPS_OF_UPDATE:
        raise InputError(
            f"An update needs at least {MIN_GROUPS_OF_UPDATE} new good images to set thresholds "
            f"(near-copies count once). Received: {count}"
        )
    _fit(detector, images, groups, folds, rates, verbose, resume=True)


def _check(detector, images, groups, rates):
    """Returns the group of each image."""
    if detector.tiles is not None:
        raise InputError("Images that are cut into tiles cannot be calibrated crosswise.")
    check_rates(*rates)
    return np.arange(_count(images)) if groups is None else np.asarray(groups)


def _fit(
    detector,
    images,
    groups,
    folds,
    rates,
    verbose,
    resume=False,
    networks=None,
    limits=LeftOutLimits(),
    defects=None,
):
    """Fits experts and scales, anew or from where they are, and sets thresholds.

    Returns a scorer on these scales, and the `LeftOutMaps` that set the thresholds.
    """
    fold_of = fold_by_group(groups, folds)
    batches = TensorBatches(detector, images, limits.tensors)
    keep = batches.keep
    if networks is not None:
        batches, keep = NetworkTensors(detector, images, networks), None
    states = detector.expert_maps.fit_crosswise(images, fold_of, verbose, resume, keep)
    left_out = read_left_out(detector, batches, states, fold_of, limits.maps, verbose)
    kept, groups = (values[: len(left_out.maps)] for values in (fold_of, groups))
    former = detector.map_calibration.measured if resume else None
    scorer = _Scorer(detector)
    if defects is not None:
        scorer.measure(left_out, np.arange(len(kept)), former)
        shown = np.linspace(0, len(kept) - 1, min(MAX_GOOD, len(kept))).round().astype(int)
        good = good_sample(detector, scorer.scales, left_out.select(shown))
        tune(detector, scorer.scales, good, defects)
    scores, peaks = _score_left_out(scorer, left_out, kept, former)
    scorer.measure(left_out, np.arange(len(kept)), former)
    detector.map_calibration.take(scorer.scales)
    detector.decision.calibrate(
        largest_of_groups(scores, groups),
        *rates,
        peaks=largest_of_groups(peaks, groups),
        crosswise=True,
        updated=resume,
        num_images=len(kept),
    )
    detector.descriptors.keep(left_out.descriptors)
    return scorer, left_out


def _count(images):
    return sum(len(unpack_inputs(inputs)[0]) for inputs, _ in iterate_inputs(images))


class _Scorer:
    """Scores maps on any scales, in one graph.

    Attributes:
        scales: `MapCalibration`.
    """

    def __init__(self, detector):
        self.scales = build_map_calibration(
            detector.image_size,
            detector.frame.cell_grid,
            detector.experts,
            detector.keep_aspect,
        )
        self._frame = detector.frame
        self._combine = compiled_for_batches(
            lambda maps, valid: detector.combine(self.scales, maps, valid)
        )

    def measure(self, left_out, rows, former):
        """Sets the scales, see `MapCalibration.measure`."""
        self.scales.measure(left_out.batches(rows, self._frame), former)

    def score(self, left_out, rows):
        """Yields maps, scores and map maxima of some images, batch by batch."""
        for maps, valid in left_out.select(rows):
            anomaly_map, score = self._combine(maps, valid)
            yield anomaly_map, np.asarray(score), map_peaks(anomaly_map, valid)


def _score_left_out(scorer, left_out, fold_of, former):
    """Returns score and map maximum of each image, with scales of the other folds' maps.

    `former` is what was measured on maps of further images, or None.
    """
    scores, peaks = (np.zeros(len(fold_of), "float32") for _ in range(2))
    for fold in np.unique(fold_of):
        scorer.measure(left_out, np.flatnonzero(fold_of != fold), former)
        inside = np.flatnonzero(fold_of == fold)
        found = list(zip(*scorer.score(left_out, inside), strict=True))
        scores[inside], peaks[inside] = (np.concatenate(part) for part in found[1:])
    return scores, peaks


def _compare(scorer, left_out):
    """Returns `LeftOutScores`: all images on the scales of all.

    Scales of the other folds are wide where a defect is in one of these, and would make the images
    that share its fold look unusual.
    """
    every = np.arange(len(left_out.maps))
    scores = np.concatenate([score for _, score, _ in scorer.score(left_out, every)])
    shown = most_unusual(scores)
    maps = np.concatenate([maps for maps, _, _ in scorer.score(left_out, shown)])
    return LeftOutScores(scores, dict(zip(shown, maps, strict=True)))
