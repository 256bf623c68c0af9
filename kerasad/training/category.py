"""The data of a training, and what can be refused before it starts."""

import numpy as np

from kerasad.data.category import Category
from kerasad.data.category_loading import load_category
from kerasad.detector.conformal import conformal_rules
from kerasad.detector.summary import ON_CROPS_NOTE
from kerasad.detector.tiling import TileGrid
from kerasad.errors import InputError
from kerasad.training.config import DataConfig, RunConfig
from kerasad.training.locations import resolve_data
from kerasad.training.recipes import find_recipe


def open_category(config: DataConfig, seed: int) -> Category:
    """The data of a configuration."""
    return load_category(
        resolve_data(config.path),
        config.image_size,
        config.batch_size,
        split=config.split,
        seed=seed,
        crop_size=config.crop_size,
        cache_megabytes=config.cache_megabytes,
        on_bad=config.on_bad,
        decoding=config.decoding,
        labelled=config.labelled,
        labelled_share=config.labelled_share,
    )


def check_before_training(category: Category, config: RunConfig) -> None:
    """Refuses what only the detector would refuse, after a training for nothing.

    Raises:
        InputError: An unknown model, no labelled image for one that learns from some, tiles that
            don't fit, or a rate that `strict` wants guaranteed and is not.
    """
    if find_recipe(config.model.name).model_class.learns_from_labels:
        category.labelled_train_from(0)
    if category.crop_size is not None:
        TileGrid(category.full_shape[:2], category.crop_size, config.data.overlap)
    if config.training.strict:
        if category.split.calibration_on_crops:
            raise InputError(ON_CROPS_NOTE + " Give more good images.")
        scores = np.arange(len(category.split.calibration))
        settings = config.training
        conformal_rules(scores, settings.false_alarm_rate, settings.review_rate, strict=True)
