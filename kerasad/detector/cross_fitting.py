"""Statistics of all good images, and scores of each by statistics that have not seen it."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.detector.batches import Batches
from kerasad.detector.calibration import largest_of_groups, map_peaks
from kerasad.detector.conformal import check_rates
from kerasad.detector.descriptors import describe_sums, sum_cells
from kerasad.detector.frames import iterate_inputs
from kerasad.detector.fusion import prior_weights
from kerasad.detector.map_calibration import build_map_calibration
from kerasad.detector.unusual import LeftOutScores, most_unusual
from kerasad.errors import InputError, check_whole
from kerasad.tracing import compiled_for_batches

MAX_BYTES = 2**28
"""Memory for maps of good images; further images train, but set no scale and no threshold."""
MIN_GROUPS_OF_UPDATE = 5
"""Groups of images that an update needs: fewer set no threshold worth the name."""


def fold_by_group(groups: np.ndarray, folds: int = 5) -> np.ndarray:
    """Returns the fold of each image, int `(images,)`; no fold cuts a group.

    Folds are runs of groups in the order of their first images, with about equally many images:
    images that lie side by side may be alike, though nobody has said that they are one group.

    Args:
        groups: int array `(images,)`.
        folds: int >= 2. Fewer are made of fewer groups.

    Raises:
        InputError: If there are fewer than two groups.
    """
    check_whole("folds", folds, 2)
    groups = np.asarray(groups)
    _, first, inverse, counts = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    if len(first) < 2:
        raise InputError(
            f"Crosswise calibration needs two groups of images at least. Received: {len(first)}"
        )
    folds, order = min(folds, len(first)), np.argsort(first)
    fold_of_group, images, fold = np.zeros(len(first), int), 0, 0
    for position, group in enumerate(order):
        # The groups that are left must suffice for the folds that are left.
        left = len(order) - position
        due = images >= len(groups) * (fold + 1) / folds or left < folds - fold
        if due and fold < folds - 1 and images:
            fold += 1
        fold_of_group[group] = fold
        images += counts[group]
    return fold_of_group[inverse]


def fit_crosswise(
    detector, images: Batches, groups=None, folds: int = 5, rates=(0.05, None), verbose: int = 0
) -> LeftOutScores:
    """Fits a detector's experts to all images, and its scales and thresholds to left-out maps.

    For each fold, further experts learn from the images of the other folds. They make the maps of
    the fold's images, so that every map is of experts that have not seen the image. Scales are
    measured on all these maps. An image's score is standardized with scales of the other folds'
    maps, so that it shares nothing with its image. The score is that of the experts with the most
    values, see `prior_weights`; for the map all experts weigh the same.

    Args:
        detector: `AnomalyDetector` without tiles.
        images: batches of images of the model's size, the same every time.
        groups: int array `(images,)`, or None if every image is its own.
        folds: int >= 2.
        rates: false-alarm rate and review rate, see `conformal_rules`.
        verbose: 0 or 1.

    Returns:
        `LeftOutScores` of the images that set scales and thresholds.

    Raises:
        InputError: If the detector cuts tiles, a rate is out of range, there are fewer than two
            groups, or not as many images as `groups`.
    """
    groups = _check(detector, images, groups, rates)
    _, score_weights = prior_weights([expert.degrees for expert in detector.experts])
    detector.score_weights.assign(score_weights.astype("float32"))
    detector.fusion_weights.assign(np.full(len(score_weights), 1.0 / len(score_weights)))
    return _compare(detector, _fit(detector, images, groups, folds, rates, verbose))


def update_crosswise(
    detector, images: Batches, groups=None, folds: int = 5, rates=(0.05, None), verbose: int = 0
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
            f"An update needs {MIN_GROUPS_OF_UPDATE} new good images at least (near-copies count "
            f"once), to set thresholds by. Received: {count}"
        )
    _fit(detector, images, groups, folds, rates, verbose, resume=True)


def _check(detector, images, groups, rates):
    """Returns the group of each image."""
    if detector.tiles is not None:
        raise InputError("Images that are cut into tiles cannot be calibrated crosswise.")
    check_rates(*rates)
    return np.arange(_count(images)) if groups is None else np.asarray(groups)


def _fit(detector, images, groups, folds, rates, verbose, resume=False):
    """Fits experts and scales, anew or from where they are, and sets thresholds.

    Returns the `_LeftOutMaps` that set them.
    """
    fold_of = fold_by_group(groups, folds)
    experts = detector.expert_maps.fit_crosswise(images, fold_of, verbose, resume)
    left_out = _read_left_out(detector, images, experts, fold_of, verbose)
    kept = fold_of[: len(left_out.maps)]
    former = detector.map_calibration.measured if resume else None
    scores, peaks = _score_left_out(detector, left_out, kept, former)
    everything = left_out.batches(np.arange(len(kept)), detector.frame)
    detector.map_calibration.measure(everything, former)
    detector.decision.calibrate(
        largest_of_groups(scores, groups[: len(kept)]),
        *rates,
        peaks=largest_of_groups(peaks, groups[: len(kept)]),
        crosswise=True,
        updated=resume,
        num_images=len(kept),
    )
    detector.descriptors.keep(left_out.descriptors)
    return left_out


@dataclass
class _LeftOutMaps:
    """Maps of images by experts that have not seen them, before they are standardized.

    Attributes:
        maps: list of float32 `(h, w, experts)`.
        valid: list of bool `(height, width, 1)` arrays, or of None.
        descriptors: float array `(images, numbers)`.
    """

    maps: list
    valid: list
    descriptors: np.ndarray

    def select(self, rows, batch_size: int = 16):
        """Yields batches of maps and `valid` of some images."""
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size]
            valid = None
            if self.valid[part[0]] is not None:
                valid = np.stack([self.valid[row] for row in part]).astype("float32")
            yield np.stack([self.maps[row] for row in part]), valid

    def batches(self, rows, frame):
        """Yields what `MapCalibration.measure` reads of some images."""
        for maps, valid in self.select(rows):
            yield maps, frame.map_valid(valid)


def _count(images):
    return sum(len(unpack_inputs(inputs)[0]) for inputs, _ in iterate_inputs(images))


def _read_left_out(detector, images, experts, fold_of, verbose):
    """Returns `_LeftOutMaps` of all images, or of the first that fit into memory."""
    maker, described = detector.expert_maps, detector.descriptors.tensor
    graphs = [maker.compile_maps(own) for own in experts]
    needed = {name for expert in detector.experts for name in expert.requires}
    maps, valid_of, descriptors, used = [], [], [], 0
    for inputs, _ in iterate_inputs(images, verbose, "scoring left-out images"):
        batch, valid = detector.prepare(inputs)
        tensors = maker.tensors(batch, valid)
        folds = fold_of[len(maps) : len(maps) + len(batch)]
        made = [None] * len(batch)
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds == fold)
            own = {name: tf.gather(tensors[name], rows) for name in needed}
            for row, image_map in zip(rows, np.asarray(graphs[fold](own)), strict=True):
                made[row] = image_map
        real = [None] * len(batch) if valid is None else list(np.asarray(valid) > 0.5)
        maps += made
        valid_of += real
        sums = sum_cells(tensors.get(described, batch), maker.frame.map_valid(valid))
        descriptors.append(np.asarray(describe_sums(sums)))
        used += sum(each.nbytes for each in (*made, *real) if each is not None)
        if used > MAX_BYTES:
            break
    return _LeftOutMaps(maps, valid_of, np.concatenate(descriptors))


def _score_left_out(detector, left_out, fold_of, former):
    """Returns score and map maximum of each image, with scales of the other folds' maps.

    `former` is what was measured on maps of further images, or None.
    """
    other = build_map_calibration(
        detector.image_size, detector.frame.cell_grid, len(detector.experts), detector.keep_aspect
    )
    combine = compiled_for_batches(lambda maps, valid: detector.combine(other, maps, valid))
    scores, peaks = (np.zeros(len(fold_of), "float32") for _ in range(2))
    for fold in np.unique(fold_of):
        other.measure(left_out.batches(np.flatnonzero(fold_of != fold), detector.frame), former)
        inside = np.flatnonzero(fold_of == fold)
        start = 0
        for maps, valid in left_out.select(inside):
            rows = inside[start : start + len(maps)]
            anomaly_map, score = combine(maps, valid)
            scores[rows], peaks[rows] = np.asarray(score), map_peaks(anomaly_map, valid)
            start += len(maps)
    return scores, peaks


def _compare(detector, left_out):
    """Returns `LeftOutScores`: all images on the detector's own scales.

    Scales of the other folds are wide where a defect is in one of these, and would make the images
    that share its fold look unusual.
    """
    combine = compiled_for_batches(
        lambda maps, valid: detector.combine(detector.map_calibration, maps, valid)
    )
    score = compiled_for_batches(lambda maps, valid: combine(maps, valid)[1])
    every = np.arange(len(left_out.maps))
    scores = [np.asarray(score(*batch)) for batch in left_out.select(every)]
    scores = np.concatenate(scores)
    shown = most_unusual(scores)
    batches = [combine(*batch)[0] for batch in left_out.select(shown)]
    return LeftOutScores(scores, dict(zip(shown, np.concatenate(batches), strict=True)))
