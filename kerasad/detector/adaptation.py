"""The passes over good images that make a detector."""

import math

import numpy as np
from keras import ops

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.detector.fusion import GOOD, FusionSample
from kerasad.detector.streaming import iterate_inputs
from kerasad.errors import InputError
from kerasad.models.networks import downsampled_cells
from kerasad.synthetic.choosing import KINDS, ChoosingDefects
from kerasad.tracing import compiled

# Maps that weights are chosen on have at most this side.
FUSION_SIDE = 64
# Of large images fewer: drawing a defect and scoring it take time by the pixel. But a gain has an
# error to be measured by from so many images on.
FUSION_PIXELS = 2**25
FUSION_IMAGES = 3
# Images that it holds at most, in bytes.
FUSION_BYTES = 2**28

READ_ONCE = "The images can be read only once; give a dataset that starts anew when read again."


def adapt_experts(detector, train, verbose: int = 0) -> None:
    """Lets every expert learn from good images, each pass of all experts in one.

    Args:
        detector: `AnomalyDetector`.
        train: dataset of inputs of the size that the model was trained with.
        verbose: 0 or 1.

    Raises:
        InputError: If the dataset is empty or can be read only once, its images have another
            size, or they are padded and the experts learn by position.
    """
    experts = detector.experts
    tensors_of = compiled(detector.model.tensors, reduce_retracing=True)
    for index in range(max((expert.passes for expert in experts), default=0)):
        learning = [expert for expert in experts if index < expert.passes]
        for expert in learning:
            expert.start(index)
        seen = 0
        for inputs, _ in iterate_inputs(train, verbose, f"adapting, pass {index + 1}"):
            images, valid = unpack_inputs(inputs)
            _check_images(detector, images, valid)
            # Aligned cells hold no padding.
            weights = _cell_weights(images, None if detector.cell_grid else valid)
            tensors = tensors_of(images if detector.cell_grid is None else inputs)
            for expert in learning:
                expert.update(tensors, weights, index)
            seen += len(images)
        if not seen:
            raise InputError("There is no training image to adapt to." if index == 0 else READ_ONCE)
        for expert in learning:
            expert.finish(index)


def _check_images(detector, images, valid):
    size, wanted = tuple(images.shape[1:3]), tuple(detector.model.image_shape[:2])
    if size != wanted:
        raise InputError(
            f"`train` must have images of the model's size {wanted}, crops if the detector cuts "
            f"tiles. Received: {size}"
        )
    if valid is not None and detector.tiles is None and not detector.keep_aspect:
        raise InputError(
            "`train` has padded images, where a place means nothing; give the detector "
            "keep_aspect=True."
        )


def _cell_weights(images, valid):
    """Returns the function from a grid to the weights of its cells, see `Expert.update`."""

    def weights(grid):
        if valid is None:
            return ops.ones((len(images), *grid), dtype="float32")
        return ops.cast(downsampled_cells(valid, *grid)[..., 0] > 0.999, "float32")

    return weights


def calibrate_maps(detector, validation, verbose: int = 0, calibration=None) -> None:
    """Measures mean and scale of each expert's maps on good validation images.

    Args:
        detector: `AnomalyDetector`.
        validation: dataset of inputs.
        verbose: 0 or 1.
        calibration: built `MapCalibration` to set; None is the detector's.

    Raises:
        InputError: If the dataset is empty.
    """
    maps_of = _compiled_maps(detector)
    calibration = detector.map_calibration if calibration is None else calibration
    calibration.start()
    seen = 0
    for inputs, _ in iterate_inputs(validation, verbose, "measuring scales"):
        images, valid = detector.prepare(inputs)
        maps = maps_of(pack_inputs(images, valid))
        calibration.update(maps, valid if detector.cell_grid is None else None)
        seen += len(images)
    if not seen:
        raise InputError("There is no validation image to measure scales on.")
    calibration.finish()


def draw_fusion_sample(
    detector,
    validation,
    seed: int,
    num_defects: int = 128,
    verbose: int = 0,
    on_crops: bool = False,
) -> FusionSample:
    """Returns standardized maps of validation images with and without synthetic defects.

    The defects are of the choosing family, which no training sees. Maps are thinned to at most
    `FUSION_SIDE` pixels a side; images beyond half of `num_defects` or `FUSION_BYTES` are left
    out.
    """
    calibrations = [detector.map_calibration]
    return draw_fusion_samples(
        detector, calibrations, validation, seed, num_defects, verbose, on_crops
    )[0]


def draw_fusion_samples(
    detector,
    calibrations,
    validation,
    seed: int,
    num_defects: int,
    verbose: int = 0,
    on_crops: bool = False,
) -> list[FusionSample]:
    """Returns one sample for each calibration, all of the same images and defects.

    Args:
        detector: `AnomalyDetector`.
        calibrations: list of `MapCalibration`, which standardize the maps.
        validation: dataset of inputs.
        seed: int. Seed of the defects.
        num_defects: int. At least so many defects are drawn, on at most half as many images; but on
            no more than `FUSION_PIXELS` pixels, or one of each kind on each of `FUSION_IMAGES`.
            Each image has as many as others, and as many of each kind.
        verbose: 0 or 1.
        on_crops: bool. Whether all images are crops of one photo.

    Raises:
        InputError: If there is no image.
    """
    maps_of = _compiled_maps(detector)
    batches = []
    pixels = math.prod(detector.image_size)
    image_bytes = 4 * 3 * pixels
    # Each takes at least one defect of each kind.
    images_left = min(num_defects // 2, max(FUSION_IMAGES, FUSION_PIXELS // pixels // len(KINDS)))
    images_left = max(1, min(images_left, FUSION_BYTES // image_bytes))
    for inputs, _ in iterate_inputs(validation):
        images, valid = detector.prepare(inputs)
        images = np.asarray(images)[:images_left]
        batches.append((images, None if valid is None else np.asarray(valid)[: len(images)]))
        images_left -= len(images)
        if images_left <= 0:
            break
    total = sum(len(images) for images, _ in batches)
    if not total:
        raise InputError(READ_ONCE)
    all_kinds = total * len(KINDS)
    rounds = -(-num_defects // all_kinds)
    rounds = len(KINDS) * max(1, min(rounds, FUSION_PIXELS // pixels // all_kinds))
    rows = [[] for _ in calibrations]

    starts = np.cumsum([0, *(len(images) for images, _ in batches)])

    def add(images, masks, valid, kind, start):
        maps = maps_of(pack_inputs(images, valid))
        sources = start + np.arange(len(images))
        if on_crops:
            sources = np.zeros_like(sources)
        columns = np.full(len(images), kind), sources
        for calibration, part in zip(calibrations, rows, strict=True):
            part.append((*_thinned(detector, calibration(maps), masks, valid), *columns))

    for (images, valid), start in zip(batches, starts[:-1], strict=True):
        add(images, np.zeros_like(images[..., :1]), valid, GOOD, start)
    turns = [(turn, number) for turn in range(rounds) for number in range(len(batches))]
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


def _thinned(detector, calibrated, masks, valid):
    step = max(1, -(-max(detector.image_size) // FUSION_SIDE))
    cut = (slice(None), slice(step // 2, None, step), slice(step // 2, None, step))
    pixel_maps, place_maps = (detector.enlarge(maps, valid) for maps in calibrated)
    valid = np.ones_like(masks) if valid is None else valid
    return (
        # Copies: views would keep the whole maps alive.
        np.asarray(pixel_maps)[cut].copy(),
        np.asarray(place_maps)[cut].copy(),
        np.asarray(masks)[cut][..., 0] > 0.5,
        np.asarray(valid)[cut][..., 0] > 0.5,
    )


def _compiled_maps(detector):
    """Returns the function from prepared inputs to expert maps, traced once for each detector."""
    # Past Keras, which would track it as a part of the model.
    own = vars(detector)
    if "_compiled_maps" not in own:
        own["_compiled_maps"] = compiled(
            lambda inputs: detector.expert_maps(*unpack_inputs(inputs))[0], reduce_retracing=True
        )
    return own["_compiled_maps"]
