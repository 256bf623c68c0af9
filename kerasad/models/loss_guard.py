"""Stops a training that diverges, and names the term that became NaN or infinite."""

import math

import keras
import numpy as np

from kerasad.errors import TrainingDivergedError

SUMS = ("loss", "encoder_loss", "decoder_loss")
"""Logs that add up other logs: they are named only if none of their terms is to blame."""


class LossGuard(keras.callbacks.Callback):
    """Stops `fit` when a loss or a weight is no longer finite; `TwoPlayerModel.fit` adds it.

    Losses are checked after every batch: one step later all weights, and with them all terms, are
    NaN, and nothing can tell which of them came first. Weights are checked once, after the
    last step, which may break some that no loss has seen yet.

    Raises:
        TrainingDivergedError: From `fit`, with the names of the terms or of a weight.
    """

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Remembers the epoch for the message."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Checks the losses of a step."""
        _check_losses(logs, f"epoch {self._epoch + 1}, step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Checks the losses of an epoch, those of validation images included."""
        _check_losses(logs, f"the end of epoch {epoch + 1}")

    def on_train_end(self, logs: dict | None = None) -> None:
        """Checks every weight of the model."""
        broken = [weight.path for weight in self.model.weights if not np.isfinite(weight).all()]
        if broken:
            raise TrainingDivergedError(
                f"Training ended with {len(broken)} weights that are not finite, among them "
                f"`{broken[0]}`; lower the learning rate."
            )


def _check_losses(logs, where):
    broken = {
        name: float(value)
        for name, value in (logs or {}).items()
        if name.endswith("loss") and not math.isfinite(value)
    }
    if not broken:
        return
    terms = [name for name in broken if name.removeprefix("val_") not in SUMS] or list(broken)
    named = " and ".join(f"`{name}` became {broken[name]}" for name in terms)
    raise TrainingDivergedError(
        f"Training stopped at {where}: {named}; lower the learning rate or the weight of that "
        "term, and look for NaN or constant values in the images."
    )
