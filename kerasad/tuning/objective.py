"""The objective of a search: how well the finished detector finds synthetic defects."""

import keras
import keras_tuner
import numpy as np
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.detector import AnomalyDetector
from kerasad.detector.adaptation import draw_fusion_samples
from kerasad.detector.cross_fitting import crosswise_weights
from kerasad.detector.experts import trust
from kerasad.detector.fusion import fuse, objective
from kerasad.errors import InputError, NotFiniteError
from kerasad.tracing import map_dataset

OBJECTIVE = keras_tuner.Objective("synthetic_localization", direction="max")
"""Mean of pixel AUROC, best pooled IoU and image AUROC, see `synthetic_localization`."""

# Gives both halves different defects, even where both are the same image.
_SECOND_HALF = 500_000


def synthetic_localization(
    model: keras.Model,
    train,
    validation,
    *,
    experts=None,
    image_size: tuple[int, int] | None = None,
    overlap: int = 32,
    keep_aspect: bool = False,
    roi=None,
    on_crops: bool = False,
    crosswise: bool = False,
    num_defects: int = 128,
    seed: int = 0,
) -> float:
    """Returns how well a detector of this model finds synthetic defects.

    Experts adapt to `train`. The validation images are split into two halves: one half, with
    synthetic defects, sets map scales and fusion weights; the fused maps are evaluated on the other
    half, with other defects. Then the halves change roles. The value is the mean of both of
    `kerasad.detector.fusion.objective`, that is of pixel AUROC, best pooled IoU and image AUROC.
    The defects are of a family that no training uses, and the same for every model. A single
    validation image serves as both halves, with different defects.

    A loss would not do: the reconstruction loss is lowest where the latent encodes everything,
    defects included.

    Args:
        model: trained model, as for `AnomalyDetector`.
        train: dataset of inputs of the model's size.
        validation: `tf.data.Dataset` of batches of good images that were not trained on.
        experts: as for `AnomalyDetector`.
        image_size: `(height, width)` of the detector. Defaults to the model's.
        overlap: int. Pixels by which tiles overlap.
        keep_aspect: bool. Whether images are padded.
        roi: the region of interest, as for `AnomalyDetector`.
        on_crops: bool. Whether all validation images are crops of one photo.
        crosswise: bool. Whether the fusion weights are those of crosswise calibration, which are
            not chosen.
        num_defects: int. About the number of synthetic defects in both halves together.
        seed: int. Seed of the defects.

    Returns:
        value: float in [0, 1]; NaN if features or maps are not finite.

    Raises:
        InputError: There is no validation image.
    """
    detector = AnomalyDetector(
        model, experts, image_size=image_size, overlap=overlap, keep_aspect=keep_aspect, roi=roi
    )
    halves = deal_out(validation)
    try:
        detector.expert_maps.fit(train)
        calibrations = [_calibration(detector, half) for half in halves]
    except NotFiniteError:
        return float("nan")
    defects = max(1, num_defects // 2)
    # first[1] is of the first half's images, standardized by the second half's scales.
    first, second = (
        draw_fusion_samples(
            detector,
            half,
            calibrations,
            num_defects=defects,
            seed=seed + index * _SECOND_HALF,
            on_crops=on_crops,
        )
        for index, half in enumerate(halves)
    )
    pairs = ((first[0], second[0]), (second[1], first[1]))
    if not all(np.isfinite(sample.maps).all() for pair in pairs for sample in pair):
        return float("nan")
    if crosswise:
        weights = [crosswise_weights(detector.experts)] * 2
    else:
        weights = [fuse(own, *trust(detector.experts)) for own, _ in pairs]
    found = [objective(other, *chosen) for (_, other), chosen in zip(pairs, weights, strict=True)]
    return float(np.mean(found))


def deal_out(dataset: tf.data.Dataset) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Splits a dataset into its even and its odd images; one image alone is in both parts.

    Args:
        dataset: `tf.data.Dataset` of batches of inputs.

    Returns:
        two datasets with batches of the same size.

    Raises:
        InputError: If it has no image.
    """
    batch = next(iter(dataset), None)
    if batch is None:
        raise InputError("There is no validation image to evaluate a model on.")
    size = len(unpack_inputs(batch)[0])
    images = dataset.unbatch().enumerate()

    def part(remainder):
        chosen = images.filter(lambda index, _: index % 2 == remainder)
        return map_dataset(chosen, lambda _, inputs: inputs, parallel=False).batch(size)

    even, odd = part(0), part(1)
    return (even, odd) if next(iter(odd), None) is not None else (dataset, dataset)


def _calibration(detector, dataset):
    own = detector.map_calibration
    calibration = type(own).from_config(own.get_config())
    calibration.build()
    calibration.measure(detector.iterate_maps(dataset))
    return calibration
