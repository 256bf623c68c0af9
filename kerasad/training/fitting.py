"""Fits a model with the callbacks that watch over its training."""

import math
from pathlib import Path

import tensorflow as tf

from kerasad.data.category import Category
from kerasad.models.base import AnomalyModel
from kerasad.training.adversary import DiscriminatorWatch
from kerasad.training.callbacks import CollapseNotice, HistoryWriter, SyntheticLocalization

WATCHED_EPOCHS = 10
"""Number of epochs, at most, after which validation images are looked at."""


def fit(
    model: AnomalyModel,
    category: Category,
    epochs: int,
    seed: int,
    history: Path,
    verbose: int = 1,
) -> None:
    """Trains a compiled model and writes its curves.

    Args:
        model: compiled model.
        category: Category.
        epochs: int.
        seed: int. Of the synthetic defects on validation images.
        history: Path. The file for the curves.
        verbose: int. As in `keras.Model.fit`.

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
    model.fit(
        train_data(model, category),
        validation_data=category.validation_crops,
        validation_freq=watched,
        epochs=epochs,
        callbacks=callbacks,
        shuffle=False,  # the dataset shuffles, and Keras would warn that it cannot
        verbose=verbose,
    )


def watched_epochs(epochs: int, most: int = WATCHED_EPOCHS) -> list[int]:
    """Returns evenly spaced epochs, counted from 1, with the last one among them."""
    count = min(epochs, most)
    return sorted({math.ceil(epochs * number / count) for number in range(1, count + 1)})


def train_data(model: AnomalyModel, category: Category, epoch: int = 0) -> tf.data.Dataset:
    """Returns the data that a model is fitted to, from an epoch on.

    These are images. If the model learns from labels, they come with labels; if it precomputes
    something that fits into memory, they come with that.
    """
    if model.learns_from_labels:
        return category.labelled_train_from(epoch)
    if category.crop_size is not None:  # crops differ in each epoch
        return category.train_from(epoch)
    num_images, free_bytes = len(category.split.train), category.bytes_left_by_train
    return category.train_from(
        epoch, model.precompute(category.train_in_order, num_images, free_bytes)
    )
