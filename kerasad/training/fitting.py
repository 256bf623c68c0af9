"""Fits a model with everything that watches over its training."""

import math
from pathlib import Path

import keras
import tensorflow as tf

from kerasad.data.category import Category
from kerasad.models.feature_cache import cache_features
from kerasad.training.callbacks import CollapseNotice, SyntheticLocalization
from kerasad.training.history import HistoryWriter

WATCHED_EPOCHS = 10
"""Epochs of a training after which validation images are looked at, at most."""


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
