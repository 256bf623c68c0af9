"""Builds what a configuration names: the data, the model, its optimizers, and the detector."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np

from kerasad.data import load_category
from kerasad.data.category import Category
from kerasad.data.provenance import Provenance
from kerasad.data.split import number_groups
from kerasad.detector import AnomalyDetector
from kerasad.detector.conformal import conformal_rules
from kerasad.detector.fold_networks import FoldNetworks
from kerasad.detector.tiling import TileGrid
from kerasad.detector.unusual import LeftOutScores
from kerasad.errors import InputError
from kerasad.models.base import AnomalyModel
from kerasad.models.trained_model import TrainedModel
from kerasad.models.two_player_model import TwoPlayerModel
from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from kerasad.training.locations import resolve_data
from kerasad.training.near_copies import copy_finder
from kerasad.training.recipes import find_recipe, resolve_arguments

_LEAST_SERVED_LIMIT = 4_000_000
_OVERLAP = 32


def open_category(config: RunConfig, crosswise: bool | None = None) -> Category:
    """Opens the data of a configuration as `train` does.

    The batch size is that of the model's recipe, unless one is given.

    Args:
        config: RunConfig.
        crosswise: bool or None. Whether the images that train also calibrate. None is as
            `calibrates_crosswise` says; False sets images apart to validate and calibrate.
    """
    data, recipe = config.data, find_recipe(config.model.name)
    options = data.settings_of(None)
    options["batch_size"] = data.batch_size or recipe.batch_size
    return load_category(
        resolve_data(data.path),
        seed=config.training.seed,
        decoding=data.decoding,
        find_copies=copy_finder(data),
        crosswise=calibrates_crosswise(config) if crosswise is None else crosswise,
        trains=recipe.steps > 0,
        **options,
    )


def calibrates_crosswise(config: RunConfig) -> bool:
    """Returns whether statistics learn from all good images, and each is left out once.

    Crops do not say which image they are of, so only statistics of whole images can be left out.
    Networks that go with statistics are trained anew without each fold, see `fit_folds`.

    Raises:
        InputError: It is asked for where it cannot be done.
    """
    asked, crops = config.training.calibration, config.data.crop_size is not None
    trains = not find_recipe(config.model.name).statistics
    if asked == "crosswise" and (trains or crops):
        reason = "it has no statistics of features" if trains else "--tile trains on crops"
        raise InputError(
            f"{config.model.name} cannot be calibrated crosswise: {reason}; "
            "leave out --calibration crosswise."
        )
    return asked != "split" and not (trains or crops or config.training.strict)


def with_served_limit(config: DataConfig, category: Category) -> DataConfig:
    """Returns the settings with the limit for served files, which strangers may send.

    It is four times the largest good file, but at least 4 megapixels, at least the frame's size and
    at most the limit for training.
    """
    if config.served_pixel_limit is not None:
        return config
    largest = max(record.weight for record in category.index.good)
    limit = max(4 * largest, _LEAST_SERVED_LIMIT, math.prod(category.full_shape[:2]))
    return dataclasses.replace(config, served_pixel_limit=min(limit, config.pixel_limit))


def choose_overlap(config: DataConfig, category: Category) -> int:
    """Returns how many pixels neighbouring tiles share: as given, or 32 or half a small tile."""
    if config.overlap is not None:
        return config.overlap
    sides = category.crop_size or category.full_shape[:2]
    return min(_OVERLAP, min(sides) // 2)


def check_before_training(category: Category, config: RunConfig) -> None:
    """Refuses what the detector would refuse only after the training.

    Raises:
        InputError: The model is unknown or needs labelled images and has none, tiles do not fit,
            or `strict` is set and a rate is not guaranteed.
    """
    if find_recipe(config.model.name).model_class.learns_from_labels:
        category.labelled_train_from(0)
    if category.crop_size is not None:
        TileGrid(category.full_shape[:2], category.crop_size, choose_overlap(config.data, category))
    if config.training.strict and not category.split.crosswise:
        conformal_rules(
            np.arange(category.split.num_calibration_groups),
            config.training.false_alarm_rate,
            config.training.review_rate,
            strict=True,
            on_crops=category.split.calibration_on_crops,
        )


def build_model(config: ModelConfig, image_shape: tuple[int, int, int], seed: int) -> AnomalyModel:
    """Returns the untrained model of a configuration.

    Raises:
        InputError: The model or an argument is unknown, or a value is out of range.
    """
    arguments = resolve_arguments(config, seed).arguments
    return find_recipe(config.name).model_class(image_shape=image_shape, **arguments)


def choose_epochs(model: ModelConfig, settings: TrainingConfig, category: Category) -> int | None:
    """Returns the number of epochs: as given, or to make the recipe's number of steps.

    None if the recipe trains nothing.
    """
    steps = find_recipe(model.name).steps
    return settings.epochs or math.ceil(steps / category.steps_per_epoch) or None


def compile_model(model: TrainedModel, settings: TrainingConfig, steps: int) -> None:
    """Compiles a model, with a second optimizer if it has a discriminator.

    Args:
        model: model that `fit` trains.
        settings: TrainingConfig with learning rates and decay, see `resolve_training`.
        steps: int. Number of training steps, over which the rate decays.
    """
    players = {"optimizer": (settings.learning_rate, model.beta)}
    if isinstance(model, TwoPlayerModel):
        rate = settings.discriminator_learning_rate
        players["discriminator_optimizer"] = (rate, model.discriminator_beta)
    optimizers = {}
    for name, (rate, beta) in players.items():
        if settings.decay == "cosine":
            rate = keras.optimizers.schedules.CosineDecay(rate, steps)
        optimizers[name] = keras.optimizers.Adam(rate, beta_1=beta)
    model.compile(**optimizers)


def make_detector(
    model: AnomalyModel,
    category: Category,
    config: RunConfig,
    verbose: int = 1,
    networks: FoldNetworks | None = None,
) -> tuple[AnomalyDetector, LeftOutScores | None]:
    """Returns `fit_detector` with the experts of the configuration's recipe.

    A model that trains nothing is not copied: it belongs to the detector from now on.
    """
    recipe = find_recipe(config.model.name)
    return fit_detector(
        model,
        category,
        config.training,
        verbose,
        networks,
        experts=recipe.make_experts,
        overlap=choose_overlap(config.data, category),
        copy_model=recipe.steps > 0,
    )


def fit_detector(
    model: AnomalyModel,
    category: Category,
    settings: TrainingConfig,
    verbose: int = 1,
    networks: FoldNetworks | None = None,
    **options: Any,
) -> tuple[AnomalyDetector, LeftOutScores | None]:
    """Returns a detector of a trained model, adapted to and calibrated on the good images.

    Args:
        model: AnomalyModel. It is copied, unless `options` say otherwise.
        category: Category. No test image is looked at.
        settings: TrainingConfig. `seed`, `synthetic_defects`, `false_alarm_rate`, `review_rate` and
            `strict` are used.
        verbose: int. 0 hides the progress bars.
        networks: what `fit` returned.
        **options: Further arguments of `AnomalyDetector`, such as `experts` and `overlap`.

    Returns:
        The detector, and the scores of `category.split.calibrating` by statistics that have not
        seen them; None unless the split is crosswise.
    """
    on_crops = category.split.calibration_on_crops  # with fewer than 5 good images
    detector = AnomalyDetector(
        model,
        image_size=category.full_shape[:2],
        keep_aspect=category.keep_aspect,
        roi=category.roi,
        **options,
    )
    if category.split.crosswise:
        left_out = detector.adapt_crosswise(
            category.train_in_order,
            number_groups(category.split.train),
            networks=networks,
            defects=category.real_defects,
            false_alarm_rate=settings.false_alarm_rate,
            review_rate=settings.review_rate,
            verbose=verbose,
        )
        detector.record_images(_provenance(category))
        return detector, left_out
    detector.adapt(
        category.train_for_experts,
        category.validation,
        on_crops=on_crops,
        num_defects=settings.synthetic_defects,
        seed=settings.seed,
        defects=category.real_defects,
        verbose=verbose,
    )
    detector.calibrate(
        category.calibration,
        false_alarm_rate=settings.false_alarm_rate,
        review_rate=settings.review_rate,
        strict=settings.strict,
        on_crops=on_crops,
        groups=None if on_crops else category.split.calibration_groups,
        defects=category.real_defects,
        verbose=verbose,
    )
    detector.record_images(_provenance(category))
    return detector, None


def _provenance(category: Category) -> Provenance:
    return Provenance.from_split(category.split, category.labelled, category.defects)
