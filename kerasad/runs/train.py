"""The verb `train`: from a configuration to a finished run."""

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path

import keras

from kerasad.data.category import Category
from kerasad.data.earlier_results import UNUSUAL
from kerasad.detector.fold_networks import FoldNetworks
from kerasad.runs.ending import describe_thresholds
from kerasad.runs.folder import CONFIG, HISTORY, MODEL, create_run
from kerasad.runs.run import Run, open_run, save_detector
from kerasad.runs.unusual import draw_unusual
from kerasad.training.building import (
    build_model,
    check_before_training,
    choose_epochs,
    choose_overlap,
    compile_model,
    make_detector,
    open_category,
    with_served_limit,
)
from kerasad.training.config import RunConfig
from kerasad.training.fitting import fit
from kerasad.training.locations import with_full_paths
from kerasad.training.recipes import resolve_arguments, resolve_training
from kerasad.training.tensorboard import name_log_folder


def train_run(
    config: RunConfig,
    output: str | Path,
    *,
    overwrite: bool = False,
    echo: Callable[[str], None] = print,
    verbose: int = 1,
    tensorboard: str | Path | None = None,
) -> Run:
    """Trains, calibrates and writes a RUN folder, which appears only when it is complete.

    Args:
        config: RunConfig.
        output: str or Path. The folder to create.
        overwrite: bool. Replace an existing run.
        echo: function of a line of text, called as the work proceeds.
        verbose: int. 0 hides progress bars.
        tensorboard: str, Path or None. The folder for curves and pictures of the training; they
            are in a subfolder with the name of the run and the time.

    Returns:
        The run.

    Raises:
        InputError: The data, an argument or `output` cannot be used.
        TrainingDivergedError: A loss became NaN or infinite.
    """
    if tensorboard is not None:
        tensorboard = name_log_folder(tensorboard, Path(output).name, config.model.name)
    with create_run(output, overwrite=overwrite) as work:
        keras.utils.set_random_seed(config.training.seed)
        category, config = _open_data(config, echo)
        config.write(work / CONFIG)
        model = build_model(config.model, category.image_shape, config.training.seed)
        if model.remark:
            echo(model.remark)
        with category.name_bad_files():
            networks = _fit(model, category, config, work / HISTORY, echo, verbose, tensorboard)
            model.save(work / MODEL)
            detector, left_out = make_detector(model, category, config, verbose, networks)
        summary = save_detector(detector, work)
        unusual = None
        if left_out is not None:
            unusual = draw_unusual(left_out, detector, category, work / UNUSUAL)
    run = open_run(output)
    if unusual:
        echo(f"{unusual}\nOverlays: {run.path / UNUSUAL}")
    echo(describe_thresholds(summary))
    if summary["note"]:
        echo(f"Note: {summary['note']}")
    echo(f"The run is in {run.path}.\nNext: {_next_command(run, category)}")
    return run


def _open_data(config: RunConfig, echo) -> tuple[Category, RunConfig]:
    """Opens the data; returns it and the configuration with every choice made."""
    model = resolve_arguments(config.model, config.training.seed)
    settings = resolve_training(config.model, config.training)
    category = open_category(config)
    echo(category.split_table())
    check_before_training(category, config)
    settings = dataclasses.replace(settings, epochs=choose_epochs(model, settings, category))
    data = with_served_limit(config.data, category)
    # As they are called in the data, whatever folder the next command is called in.
    data = dataclasses.replace(
        data,
        exclude=category.index.excluded,
        batch_size=category.batch_size,
        overlap=choose_overlap(data, category),
    )
    return category, with_full_paths(RunConfig(data, model, settings))


def _fit(
    model, category: Category, config: RunConfig, history: Path, echo, verbose, tensorboard
) -> FoldNetworks | None:
    """Trains the networks of a model, or measures its statistics where it has none."""
    settings = config.training
    if settings.epochs is None:
        echo(
            f"{config.model.name} trains no network: it gathers statistics of "
            f"{len(category.split.train)} good images."
        )
        model.adapt(category.train_for_experts)
        return None
    compile_model(model, settings, settings.epochs * category.steps_per_epoch)
    if tensorboard is not None:
        folder = shlex.quote(str(tensorboard.parent))
        echo(f"Curves and pictures are in {tensorboard}: tensorboard --logdir {folder}")
    return fit(model, category, settings.epochs, settings.seed, history, verbose, tensorboard)


def _next_command(run: Run, category: Category) -> str:
    path = shlex.quote(str(run.path))
    if category.index.test:
        return f"kerasad evaluate {path}"
    return f"kerasad predict {path} IMAGES --output FOLDER"  # a plain folder has no test images
