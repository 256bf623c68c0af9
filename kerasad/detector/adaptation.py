"""What `AnomalyDetector.adapt` does with good images: fits experts, draws synthetic defects."""

import math
from collections.abc import Callable, Iterable

import numpy as np
from keras import ops

from kerasad.detector.fusion import GOOD, FusionSample
from kerasad.detector.map_calibration import MapCalibration
from kerasad.detector.streaming import iterate_inputs
from kerasad.errors import InputError
from kerasad.layers.cells import downsampled_cells
from kerasad.synthetic.choosing import KINDS, ChoosingDefects

MAX_SIDE = 64
"""Longest side of the maps that weights are chosen on; larger ones are thinned."""
MIN_IMAGES = 3
"""Of so many images on, a gain has an error to be compared with."""
MAX_BYTES = 2**28
"""Memory for the images that defects are drawn on."""

READ_ONCE = "The images can be read only once; give a dataset that starts anew when read again."


def fit_experts(experts, read: Callable[[str], Iterable]) -> None:
    """Lets every expert learn from good images, one pass at a time for all experts together.

    Args:
        experts: list of `Expert`.
        read: function of a title that returns an iterable of `tensors` and `weights` as of
            `Expert.update`.

    Raises:
        InputError: If there is no image, or the second pass finds none.
    """
    for index in range(max((expert.passes for expert in experts), default=0)):
        learning = [expert for expert in experts if index < expert.passes]
        for expert in learning:
            expert.start(index)
        is_empty = True
        for tensors, weights in read(f"adapting, pass {index + 1}"):
            for expert in learning:
                expert.update(tensors, weights, index)
            is_empty = False
        if is_empty:
            raise InputError("There is no training image to adapt to." if index == 0 else READ_ONCE)
        for expert in learning:
            expert.finish(index)


def check_train_images(images, valid, size, may_be_padded: bool) -> None:
    """Raises an `InputError` for images of another size than the model's, or with padding."""
    found = tuple(images.shape[1:3])
    if found != size:
        raise InputError(
            f"`train` must have images of the model's size {size}, crops if the detector cuts "
            f"tiles. Received: {found}"
        )
    if valid is not None and not may_be_padded:
        raise InputError(
            "`train` has padded images, where a place means nothing; give the detector "
            "keep_aspect=True."
        )


def cell_weights(images, valid):
    """Returns the function from a grid to the weights of its cells, see `Expert.update`."""

    def weights(grid):
        if valid is None:
            return ops.ones((len(images), *grid), dtype="float32")
        return ops.cast(downsampled_cells(valid, *grid)[..., 0] > 0.999, "float32")

    return weights


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
        detector, validation, seed, on_crops: as of `AnomalyDetector.adapt`.
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
            part.append((*_thinned(detector, calibration(maps), masks, valid), *columns))

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


def _thinned(detector, calibrated, masks, valid):
    """Returns both maps, masks and validity at every n-th pixel."""
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
