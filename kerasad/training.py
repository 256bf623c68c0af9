"""From a configuration to a finished run: data, model, `fit`, detector, calibration."""

import dataclasses
import difflib
import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasad import runs
from kerasad.callbacks import (
    CollapseNotice,
    HistoryWriter,
    LossGuard,
    SyntheticLocalization,
)
from kerasad.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from kerasad.data.category import Category
from kerasad.data.category_loading import load_category
from kerasad.data.split import write_split
from kerasad.detector import AnomalyDetector
from kerasad.detector.conformal import conformal_rules
from kerasad.detector.summary import ON_CROPS_NOTE
from kerasad.detector.tiling import TileGrid
from kerasad.errors import InputError
from kerasad.files import replace_file, write_json
from kerasad.locations import resolve_data, with_full_paths
from kerasad.models import CAVGA, VAEGAN, WeaklySupervisedCAVGA
from kerasad.models.arguments import init_arguments
from kerasad.models.feature_cache import cache_features


@dataclasses.dataclass(frozen=True)
class ModelChoice:
    """What a name of `--model` stands for.

    Args:
        model_class: the class.
        arguments: dict. Arguments that differ from the defaults of the class.
        learning_rate: float. Adam's rate for encoder and decoder, if the user names none.
        steps: int. About how many training steps are made, if the user names no epochs.
        decay: str. `"none"`, or `"cosine"`: the rate falls to 0 over the training.
    """

    model_class: type[keras.Model]
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    learning_rate: float = 1e-3
    decay: str = "none"
    steps: int = 600


MODELS: dict[str, ModelChoice] = {
    "feature_vae_gan": ModelChoice(
        VAEGAN, {"backbone": "efficientnet_lite0"}, learning_rate=2e-3, decay="cosine", steps=300
    ),
    "vae_gan": ModelChoice(VAEGAN),
    "cavga_d": ModelChoice(CAVGA, {"encoder_type": "dcgan"}),
    "cavga_r": ModelChoice(CAVGA, {"encoder_type": "resnet18"}),
    "cavga_weak_d": ModelChoice(WeaklySupervisedCAVGA, {"encoder_type": "dcgan"}),
    "cavga_weak_r": ModelChoice(WeaklySupervisedCAVGA, {"encoder_type": "resnet18"}),
}
"""What `--model` may name."""

WATCHED_EPOCHS = 10
"""Epochs of a training after which validation images are looked at, at most."""


def train_run(
    config: RunConfig,
    output: str | Path,
    *,
    overwrite: bool = False,
    echo: Callable[[str], None] = print,
    verbose: int = 1,
) -> runs.Run:
    """Trains, calibrates and writes a RUN folder, which appears only when it is complete.

    Args:
        config: RunConfig.
        output: str or Path. The folder to create.
        overwrite: bool. Replace an existing run.
        echo: function of a line of text, told what happens.
        verbose: int. 0 hides progress bars.

    Returns:
        The run.

    Raises:
        InputError: The data, an argument or `output` is of no use.
        TrainingDivergedError: A loss became NaN or infinite.
    """
    settings = config.training
    with runs.create_run(output, overwrite=overwrite) as work:
        resolved = resolve_arguments(config.model, settings.seed)
        settings = resolve_training(config.model, settings)
        keras.utils.set_random_seed(settings.seed)
        category = open_category(config.data, settings.seed)
        echo(category.split_table())
        check_before_training(category, config)
        epochs = choose_epochs(config.model, settings, category)
        settings = dataclasses.replace(settings, epochs=epochs)
        write_split(work / runs.SPLIT, category.split, category.labelled)
        model = build_model(config.model, category.image_shape, settings.seed)
        config = with_full_paths(RunConfig(config.data, resolved, settings))
        (work / runs.CONFIG).write_text(config.to_json(), encoding="utf-8")
        compile_model(model, settings, settings.epochs * category.steps_per_epoch)
        with category.name_bad_files():
            fit(model, category, settings.epochs, settings.seed, work / runs.HISTORY, verbose)
            model.save(work / runs.MODEL)
            detector = make_detector(model, category, config, verbose)
        save_detector(detector, work)
    run = runs.open_run(output)
    # A plain folder has no test image, and all its good ones are spent.
    path = shlex.quote(str(run.path))
    next_step = f"evaluate {path}" if category.index.test else f"predict {path} IMAGES"
    options = "" if category.index.test else " --output FOLDER"
    echo(f"The run is in {run.path}. Next: kerasad {next_step}{options}")
    return run


def choose_epochs(model: ModelConfig, settings: TrainingConfig, category: Category) -> int:
    """The number of epochs asked for, or as many as make about the model's number of steps."""
    return settings.epochs or math.ceil(find_model(model.name).steps / category.steps_per_epoch)


def open_category(config: DataConfig, seed: int) -> Category:
    """The data of a configuration."""
    values = {key: value for key, value in vars(config).items() if key not in ("path", "overlap")}
    return load_category(resolve_data(config.path), seed=seed, **values)


def check_before_training(category: Category, config: RunConfig) -> None:
    """Refuses what only the detector would refuse, after a training for nothing.

    Raises:
        InputError: An unknown model, no labelled image for one that learns from some, tiles that
            don't fit, or a rate that `strict` wants guaranteed and is not.
    """
    if find_model(config.model.name).model_class.learns_from_labels:
        category.labelled_train_from(0)
    if category.crop_size is not None:
        TileGrid(category.full_shape[:2], category.crop_size, config.data.overlap)
    if config.training.strict:
        if category.split.calibration_on_crops:
            raise InputError(ON_CROPS_NOTE + " Give more good images.")
        scores = np.arange(len(category.split.calibration))
        settings = config.training
        conformal_rules(scores, settings.false_alarm_rate, settings.review_rate, strict=True)


def build_model(config: ModelConfig, image_shape: tuple[int, int, int], seed: int) -> keras.Model:
    """The untrained model of a configuration.

    Raises:
        InputError: An unknown model, an unknown argument or a value outside its range.
    """
    arguments = resolve_arguments(config, seed).arguments
    return find_model(config.name).model_class(image_shape=image_shape, **arguments)


def find_model(name: str) -> ModelChoice:
    """What a name of `--model` stands for.

    Raises:
        InputError: There is no such name.
    """
    if name not in MODELS:
        raise InputError(f"There is no model {name!r}; there is {', '.join(MODELS)}.")
    return MODELS[name]


def resolve_training(config: ModelConfig, settings: TrainingConfig) -> TrainingConfig:
    """`settings` with what is best for the model where the user says nothing."""
    choice = find_model(config.name)
    return dataclasses.replace(
        settings,
        learning_rate=settings.learning_rate or choice.learning_rate,
        decay=settings.decay or choice.decay,
    )


def compile_model(model: keras.Model, settings: TrainingConfig, steps: int) -> None:
    """Gives a model the two optimizers of a resolved configuration, for so many steps."""
    rate = settings.learning_rate
    if settings.decay == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        optimizer=keras.optimizers.Adam(rate, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(
            settings.discriminator_learning_rate, beta_1=0.5
        ),
    )


def resolve_arguments(config: ModelConfig, seed: int) -> ModelConfig:
    """`config` with every argument of the model, those left at their defaults included.

    Raises:
        InputError: An unknown model or argument.
    """
    choice = find_model(config.name)
    known = {**init_arguments(choice.model_class), **choice.arguments}
    for name in config.arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}."
            raise InputError(f"`{name}` is not an argument of {config.name}; {hint}")
    return ModelConfig(config.name, {**known, "seed": seed, **config.arguments})


def fit(
    model: keras.Model, category: Category, epochs: int, seed: int, history: Path, verbose: int = 1
) -> None:
    """Trains a compiled model with everything that watches over it.

    Args:
        model: keras.Model that logs its losses under their names.
        category: Category.
        epochs: int.
        seed: int. Of the synthetic defects on validation images.
        history: Path. The file for the curves.
        verbose: int. As of `keras.Model.fit`.

    Raises:
        TrainingDivergedError: A loss became NaN or infinite; the message names it.
    """
    warmup = getattr(model, "kl_warmup_steps", 0) / max(category.steps_per_epoch, 1)
    watched = watched_epochs(epochs)
    callbacks = [
        LossGuard(),
        SyntheticLocalization(category.validation_crops, seed=seed, epochs=watched),
        CollapseNotice(warmup_epochs=math.ceil(warmup)),
        HistoryWriter(history),
    ]
    model.fit(
        train_data(model, category),
        validation_data=category.validation_crops,
        validation_freq=watched,
        epochs=epochs,
        callbacks=callbacks,
        shuffle=False,  # the dataset does it; Keras warns that it can't
        verbose=verbose,
    )


def watched_epochs(epochs: int, most: int = WATCHED_EPOCHS) -> list[int]:
    """The epochs, from 1, after which validation images are looked at: the last is one of them."""
    count = min(epochs, most)
    return sorted({math.ceil(epochs * number / count) for number in range(1, count + 1)})


def train_data(model: keras.Model, category: Category, epoch: int = 0) -> tf.data.Dataset:
    """What a model is fitted to, from an epoch on: images, or images and labels.

    A model on a backbone also gets the features of the good images, computed once, if they fit.
    """
    if getattr(model, "learns_from_labels", False):
        return category.labelled_train_from(epoch)
    if getattr(model, "view", None) is not None:
        return category.train_from(epoch, cache_features(model, category))
    return category.train_from(epoch)


def make_detector(
    model: keras.Model, category: Category, config: RunConfig, verbose: int = 1
) -> AnomalyDetector:
    """The calibrated detector of a trained model."""
    settings = config.training
    detector = AnomalyDetector(
        model,
        image_size=category.full_shape[:2],
        overlap=config.data.overlap,
        keep_aspect=category.keep_aspect,
    )
    detector.adapt(
        category.train_for_experts, category.validation, seed=settings.seed, verbose=verbose
    )
    detector.calibrate(
        category.calibration,
        false_alarm_rate=settings.false_alarm_rate,
        review_rate=settings.review_rate,
        strict=settings.strict,
        on_crops=category.split.calibration_on_crops,
        verbose=verbose,
    )
    return detector


def save_detector(
    detector: AnomalyDetector, folder: Path, split: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Writes `detector.keras` and what it says of itself, `calibration.json`.

    Args:
        detector: AnomalyDetector.
        folder: Path. The run.
        split: dict or None. New content of `split.json`, where other images calibrate it now.

    Returns:
        The content of `calibration.json`.
    """
    summary = detector.calibration_summary()
    with replace_file(folder / runs.DETECTOR) as work:
        detector.save(work)
        if split is not None:
            # Before the detector: if stopped between both, no image that calibrated passes for a
            # test image.
            write_json(folder / runs.SPLIT, split)
    write_json(folder / runs.CALIBRATION, summary)
    return summary
