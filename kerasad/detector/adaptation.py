"""The maps that `AnomalyDetector.adapt` chooses weights on, with synthetic defects."""

import math

import numpy as np

from kerasad.detector.frames import READ_ONCE, iterate_inputs
from kerasad.detector.fusion import GOOD, FusionSample
from kerasad.detector.map_calibration import MapCalibration
from kerasad.errors import InputError
from kerasad.synthetic.choosing import KINDS, ChoosingDefects

MAX_SIDE = 64
"""Longest side of the maps that weights are chosen on; larger ones are thinned."""

MIN_IMAGES = 3
"""From this number of images on, the standard error of a gain can be estimated."""

MAX_BYTES = 2**28
"""Memory for the images that defects are drawn on."""


def draw_fusion_samples(
    detector,
    validation,
    calibrations: list[MapCalibration],
    *,
    num_defects: int = 128,
    seed: int = 0,
    on_crops: bool = False,
    max_pixels: int = 2**25,
    verbose: int = 0,
) -> list[FusionSample]:
    """Returns standardized maps of validation images with and without synthetic defects.

    The defects are of the choosing family, which no training sees. Every image has equally many,
    and equally many of each kind.

    Args:
        detector, validation, seed, on_crops: as in `AnomalyDetector.adapt`.
        calibrations: list of `MapCalibration`. Each standardizes the maps of one sample; all
            samples share images and defects.
        num_defects: int. At least so many defects are drawn, on at most half as many images.
        max_pixels: int. Most pixels drawn and scored, which limits large images and their defects;
            but there is one defect of each kind on each of `MIN_IMAGES`.
        verbose: 0 or 1.

    Raises:
        InputError: If there is no image.
    """
    pixels = math.prod(detector.image_size)
    limit = min(num_defects // 2, max(MIN_IMAGES, max_pixels // pixels // len(KINDS)))
    limit = max(1, min(limit, MAX_BYTES // (4 * 3 * pixels)))
    batches = _read_images(detector, validation, limit)
    starts = np.cumsum([0, *(len(images) for images, _ in batches)])
    all_kinds = int(starts[-1]) * len(KINDS)
    rounds = max(1, min(-(-num_defects // all_kinds), max_pixels // pixels // all_kinds))
    rows = [[] for _ in calibrations]

    def add(images, masks, valid, kind, start):
        maps = detector.expert_maps.compute(images, valid)
        sources = np.zeros(len(images), int) if on_crops else start + np.arange(len(images))
        columns = np.full(len(images), kind), sources
        for calibration, part in zip(calibrations, rows, strict=True):
            part.append((*thinned(detector, calibration(maps), masks, valid), *columns))

    for (images, valid), start in zip(batches, starts[:-1], strict=True):
        add(images, np.zeros_like(images[..., :1]), valid, GOOD, start)
    turns = [(turn, k) for turn in range(rounds * len(KINDS)) for k in range(len(batches))]
    for turn, number in iterate_inputs(turns, verbose, "choosing weights"):
        images, valid = batches[number]
        kind = turn % len(KINDS)
        family = ChoosingDefects(kinds=(KINDS[kind],))
        defective, mask = family.draw(images, seed=seed + 1000 * turn + number, valid=valid)
        add(defective, mask, valid, kind, starts[number])
    return [
        FusionSample(*(np.concatenate(column) for column in zip(*part, strict=True)))
        for part in rows
    ]


def _read_images(detector, dataset, limit):
    """Returns the first images of a dataset as a list of `(images, valid)` in NumPy."""
    batches = []
    for inputs, _ in iterate_inputs(dataset):
        images, valid = detector.prepare(inputs)
        images = np.asarray(images)[:limit]
        batches.append((images, None if valid is None else np.asarray(valid)[: len(images)]))
        limit -= len(images)
        if limit <= 0:
            break
    if not any(len(images) for images, _ in batches):
        raise InputError(READ_ONCE)
    return batches


def thinned(detector, calibrated, masks, valid):
    """Returns both maps, masks and validity at every n-th pixel.

    Args:
        detector: `AnomalyDetector`.
        calibrated: pair of tensors, what `MapCalibration` returns.
        masks: array `(batch, height, width, 1)`.
        valid: alike, or None.
    """
    step = max(1, -(-max(detector.image_size) // MAX_SIDE))
    cut = (slice(None), slice(step // 2, None, step), slice(step // 2, None, step))
    pixel_maps, place_maps = (detector.frame.enlarge(maps, valid) for maps in calibrated)
    valid = np.ones_like(masks) if valid is None else valid
    return (
        # Copies: views would keep the whole maps alive.
        np.asarray(pixel_maps)[cut].copy(),
        np.asarray(place_maps)[cut].copy(),
        np.asarray(masks)[cut][..., 0] > 0.5,
        np.asarray(valid)[cut][..., 0] > 0.5,
    )
