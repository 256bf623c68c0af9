"""The data of a training, and the checks before it starts."""

import dataclasses

import numpy as np

from kerasad.data import load_category
from kerasad.data.category import Category
from kerasad.detector.conformal import conformal_rules
from kerasad.detector.tiling import TileGrid
from kerasad.training.config import DataConfig, RunConfig
from kerasad.training.locations import resolve_data
from kerasad.training.recipes import find_recipe


def open_category(config: DataConfig, seed: int) -> Category:
    """Opens the data of a configuration."""
    options = dataclasses.asdict(config)
    path = options.pop("path")
    for name in ("overlap", "max_value", "pixel_limit"):  # of the detector, and of `decoding`
        del options[name]
    return load_category(resolve_data(path), seed=seed, decoding=config.decoding, **options)


def check_before_training(category: Category, config: RunConfig) -> None:
    """Refuses what the detector would refuse only after the training.

    Raises:
        InputError: The model is unknown or needs labelled images and has none, tiles do not fit,
            or `strict` is set and a rate is not guaranteed.
    """
    if find_recipe(config.model.name).model_class.learns_from_labels:
        category.labelled_train_from(0)
    if category.crop_size is not None:
        TileGrid(category.full_shape[:2], category.crop_size, config.data.overlap)
    if config.training.strict:
        conformal_rules(
            np.arange(len(category.split.calibration)),
            config.training.false_alarm_rate,
            config.training.review_rate,
            strict=True,
            on_crops=category.split.calibration_on_crops,
        )
