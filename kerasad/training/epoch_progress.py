"""The progress of a training: how far it is, and three numbers of its curves."""

from collections.abc import Collection

import keras

from kerasad.progress import Phase

SHOWN = ("loss", "val_loss", "synthetic_iou", "discriminator_loss", "encoder_loss")
"""Names of logs: the first three that a training has are shown, the rest is in `history.csv`."""
MOST_SHOWN = 3


class EpochProgress(keras.callbacks.Callback):
    """Shows three numbers of each epoch, in place of the bars of Keras.

    A terminal has one line for all epochs. A log has a line for some of them. A number that an
    epoch does not measure is that of an earlier one. Callbacks that add to the logs must come
    before this one.

    Args:
        phase: Phase of epochs.
        told: collection of int. Epochs, counted from 1, after which a log gets a line.
    """

    def __init__(self, phase: Phase, told: Collection[int] = ()):
        super().__init__()
        self.phase = phase
        self.told = set(told)
        self.known: dict[str, float] = {}

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Shows the numbers."""
        self.known |= {name: float(value) for name, value in (logs or {}).items() if name in SHOWN}
        names = [name for name in SHOWN if name in self.known][:MOST_SHOWN]
        note = ", ".join(f"{name} {self.known[name]:.3g}" for name in names)
        self.phase.advance(note=note)
        if epoch + 1 in self.told:
            self.phase.say(f"  epoch {epoch + 1} of {self.params['epochs']}: {note}")
