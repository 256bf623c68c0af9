"""Networks of one model, each trained without the images of one fold."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kerasad.models.base import AnomalyModel


@dataclass(frozen=True)
class FoldNetworks:
    """What a training has made of the same untrained model without each of several folds.

    Attributes:
        fold_of: int array `(images,)`, the fold of each image.
        weights: for each fold the values of the model's `trained_weights`, learnt without it.
    """

    fold_of: np.ndarray
    weights: Sequence[Sequence[np.ndarray]]

    @contextlib.contextmanager
    def without(self, fold: int, model: AnomalyModel) -> Iterator[None]:
        """Gives a model, for a while, the weights that have not seen a fold."""
        kept = [np.asarray(weight).copy() for weight in model.trained_weights]
        try:
            _assign(model, self.weights[fold])
            yield
        finally:
            _assign(model, kept)


def _assign(model, values):
    for weight, value in zip(model.trained_weights, values, strict=True):
        weight.assign(value)
