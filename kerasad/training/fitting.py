"""Fits a model with the callbacks that watch over its training."""

import math
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasad.data.category import Category
from kerasad.detector.fold_networks import FoldNetworks
from kerasad.models.base import AnomalyModel
from kerasad.progress import Phase
from kerasad.training.adversary import DiscriminatorWatch
from kerasad.training.callbacks import CollapseNotice, HistoryWriter, SyntheticLocalization
from kerasad.training.epoch_progress import EpochProgress
from kerasad.training.tensorboard import TensorBoardWriter

WATCHED_EPOCHS = 10
"""Number of epochs, at most, after which validation images are looked at."""


def fit(
    model: AnomalyModel,
    category: Category,
    epochs: int,
    seed: int,
    history: Path,
    verbose: int = 1,
    tensorboard: Path | None = None,
) -> FoldNetworks | None:
    """Trains a compiled model and writes its curves.

    Args:
        model: compiled model.
        category: Category.
        epochs: int.
        seed: int. Of the synthetic defects on validation images.
        history: Path. The file for the curves.
        verbose: int. 0 hides the progress.
        tensorboard: Path or None. The folder for what `TensorBoardWriter` writes.

    Returns:
        Networks trained without each of the category's `network_folds`, or None if it has none. The
        model is the one without the first fold.

    Raises:
        TrainingDivergedError: A loss became NaN or infinite; the message names it.
    """
    watched = watched_epochs(epochs)
    callbacks = [
        SyntheticLocalization(category.validation_crops, seed=seed, epochs=watched),
        DiscriminatorWatch(category.validation_crops, seed=seed, epochs=watched),
        CollapseNotice(math.ceil(model.warmup_steps / max(category.steps_per_epoch, 1))),
        HistoryWriter(history),
    ]
    if tensorboard is not None:
        crops = category.validation_crops
        callbacks.append(TensorBoardWriter(tensorboard, crops, seed=seed, epochs=watched))
    precomputed = precompute(model, category)
    others = []
    if category.network_folds is not None:
        others = fit_folds(model, category, epochs, precomputed, verbose)
    with Phase("training", epochs, "epoch", verbose) as phase:
        model.fit(
            _train_data(model, category, 0, precomputed),
            validation_data=category.validation_crops,
            validation_freq=watched,
            epochs=epochs,
            callbacks=[*callbacks, EpochProgress(phase, watched)],
            shuffle=False,  # the dataset shuffles, and Keras would warn that it cannot
            verbose=0,
        )
    if category.network_folds is None:
        return None
    return FoldNetworks(category.network_folds, [_values(model.trained_weights), *others])


def fit_folds(
    model: AnomalyModel,
    category: Category,
    epochs: int,
    precomputed: dict | None,
    verbose: int = 1,
) -> list[list[np.ndarray]]:
    """Trains networks without each of the category's `network_folds` but the first.

    All begin as the model is, and are trained alike. Afterwards the model is as it was. They share
    what is not trained: mean and deviation of each channel are those of all images.

    Args:
        model: compiled model.
        category: Category.
        epochs: int. Of each training.
        precomputed: what `precompute` returned.
        verbose: int. 0 hides the progress.

    Returns:
        For each of these folds the values of the model's `trained_weights`.
    """
    if precomputed is None:  # else the first fold alone would set what all share
        model.adapt(category.train_in_order)
    state = [*model.trained_weights, *model.optimizer.variables]
    state += model.discriminator_optimizer.variables
    weights = {id(weight) for weight in model.weights}
    state += [other for other in model.variables if id(other) not in weights]  # random seeds
    begin, found = _values(state), []
    last = int(category.network_folds.max())
    with Phase("training the networks that calibrate", last, "network", verbose) as phase:
        for fold in range(1, last + 1):
            # Whole epochs: to leave a dataset in the middle of one takes up to 18 s.
            data = category.train_from(0, precomputed, without_fold=fold)
            model.fit(data, epochs=epochs, shuffle=False, verbose=0)
            found.append(_values(model.trained_weights))
            for variable, value in zip(state, begin, strict=True):
                variable.assign(value)
            phase.advance()
    return found


def _values(variables):
    return [np.asarray(variable).copy() for variable in variables]


def watched_epochs(epochs: int, most: int = WATCHED_EPOCHS) -> list[int]:
    """Returns evenly spaced epochs, counted from 1, with the last one among them."""
    count = min(epochs, most)
    return sorted({math.ceil(epochs * number / count) for number in range(1, count + 1)})


def precompute(model: AnomalyModel, category: Category) -> dict | None:
    """Returns what does not change during a training, if it fits into memory; see `AnomalyModel`.

    Crops differ in each epoch, so there is nothing for them.
    """
    if model.learns_from_labels or category.crop_size is not None:
        return None
    num_images, free_bytes = len(category.split.train), category.bytes_left_by_train
    return model.precompute(category.train_in_order, num_images, free_bytes)


def train_data(model: AnomalyModel, category: Category, epoch: int = 0) -> tf.data.Dataset:
    """Returns the data that a model is fitted to, from an epoch on.

    These are images. If the model learns from labels, they come with labels; else with what is
    precomputed of them.
    """
    return _train_data(model, category, epoch, precompute(model, category))


def _train_data(model, category, epoch, precomputed):
    if model.learns_from_labels:
        return category.labelled_train_from(epoch)
    return category.train_from(epoch, precomputed)
