"""What a search maximizes: how well the finished detector finds synthetic defects."""

import keras
import keras_tuner
import numpy as np
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.detector import AnomalyDetector
from kerasad.detector.adaptation import adapt_experts, calibrate_maps, draw_fusion_samples
from kerasad.detector.fusion import fuse, objective
from kerasad.errors import InputError
from kerasad.tracing import map_dataset

OBJECTIVE = keras_tuner.Objective("synthetic_localization", direction="max")
"""Mean of pixel AUROC, best pooled IoU and image AUROC, see `synthetic_localization`."""

# Keeps the defects of both halves apart, also where both are the same image.
_SECOND_HALF = 500_000


def synthetic_localization(
    model: keras.Model,
    train,
    validation,
    *,
    image_size: tuple[int, int] | None = None,
    overlap: int = 32,
    keep_aspect: bool = False,
    on_crops: bool = False,
    num_defects: int = 128,
    seed: int = 0,
) -> float:
    """Returns how well a detector of this model finds defects that chose nothing about it.

    Experts adapt to `train`. The validation images are dealt out into two halves. Map scales and
    fusion weights come from one half and synthetic defects on it, and the fused maps are judged on
    the other half and other defects, and the same the other way round: the mean of both of
    `kerasad.detector.fusion.objective`, that is of pixel AUROC, best pooled IoU and image AUROC.
    The defects are of the family that no training sees; a seed makes them the same for every
    model. A single validation image serves as both halves, with different defects.

    (A loss would not do: the reconstruction's is lowest where the latent carries everything,
    defects included.)

    Args:
        model: trained model, as of `AnomalyDetector`.
        train: dataset of inputs of the model's size.
        validation: `tf.data.Dataset` of batches of good images that trained nothing.
        image_size: `(height, width)` of the detector. Defaults to the model's.
        overlap: int. Pixels that tiles share.
        keep_aspect: bool. Whether images are padded.
        on_crops: bool. Whether all validation images are crops of one photo.
        num_defects: int. Synthetic defects in both halves together, about.
        seed: int. Of the defects.

    Returns:
        value: float in [0, 1]; NaN if the maps are not finite.

    Raises:
        InputError: If there is no image.
    """
    detector = AnomalyDetector(
        model, image_size=image_size, overlap=overlap, keep_aspect=keep_aspect
    )
    adapt_experts(detector, train)
    halves = deal_out(validation)
    calibrations = [_calibration(detector, half) for half in halves]
    defects = max(1, num_defects // 2)
    # first[1] is of the first half's images, standardized by the second half's scales.
    first, second = (
        draw_fusion_samples(
            detector,
            calibrations,
            half,
            seed + index * _SECOND_HALF,
            defects,
            on_crops=on_crops,
        )
        for index, half in enumerate(halves)
    )
    degrees = [expert.degrees for expert in detector.experts]
    values = []
    for fitted, judged in ((first[0], second[0]), (second[1], first[1])):
        if not (np.isfinite(fitted.maps).all() and np.isfinite(judged.maps).all()):
            return float("nan")
        values.append(objective(judged, *fuse(fitted, degrees)))
    return float(np.mean(values))


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
        raise InputError("There is no validation image to judge a model by.")
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
    calibrate_maps(detector, dataset, calibration=calibration)
    return calibration
