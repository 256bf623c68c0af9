"""Watches whether the discriminator of a model is alive."""

import warnings

import keras
import numpy as np

from kerasad.metrics import ImageAUROC
from kerasad.models.base import AnomalyModel
from kerasad.models.health import CollapseWarning
from kerasad.synthetic.choosing import ChoosingDefects
from kerasad.tracing import compiled
from kerasad.training.callbacks import draw_pairs

DEAD = (0.45, 0.55)
"""The AUROC of a discriminator that tells nothing apart."""


class DiscriminatorWatch(keras.callbacks.Callback):
    """Logs what the discriminator tells apart on images that train nothing; names a dead one.

    `discriminator_auroc` is the AUROC of the mean logit of good images against that of their
    reconstructions, `discriminator_damage_auroc` against that of copies with a synthetic defect of
    the family that no training sees. Losses do not say this: at 2 log 2 a game may be even or over.
    At the end of a training over whose last third neither left `DEAD`, it warns.

    Args:
        dataset: `tf.data.Dataset` of model inputs: images, or `{"images", "valid"}`.
        max_images: int. Number of images to take from it. Defaults to `32`.
        seed: int. Seed of the defects. Defaults to `0`.
        epochs: collection of ints from 1, or None. Epochs to measure after; None is all.
    """

    def __init__(self, dataset, max_images: int = 32, seed: int = 0, epochs=None):
        super().__init__()
        self.epochs = epochs
        self.message: str | None = None
        self._measured: list[tuple[float, ...]] = []
        pairs = draw_pairs(dataset, ChoosingDefects(), max_images, seed)
        self._batches = [(inputs, damaged) for inputs, damaged, _ in pairs]

    def set_model(self, model: AnomalyModel) -> None:
        """Compiles the logits of the model."""
        super().set_model(model)
        self._logits = compiled(model.image_logits, reduce_retracing=True)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Adds both values to `logs`, where the callbacks after this one see them."""
        if logs is None or (self.epochs is not None and epoch + 1 not in self.epochs):
            return
        found = {"image": [], "reconstruction": [], "damaged": []}
        for inputs, damaged in self._batches:
            logits = self._logits(inputs)
            if logits is None:
                return
            for name, values in logits.items():
                found[name].append(values)
            found["damaged"].append(self._logits(damaged)["image"])
        good, made, damaged = (np.concatenate(found[name]) for name in found)
        found = _auroc(good, made), _auroc(good, damaged)
        logs["discriminator_auroc"], logs["discriminator_damage_auroc"] = found
        self._measured.append(found)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Warns of a dead discriminator."""
        last = np.asarray(self._measured[-max(1, len(self._measured) // 3) :])
        if len(last) and np.all((last > DEAD[0]) & (last < DEAD[1])):
            self.message = (
                "The discriminator is dead: over the last third of the training it tells good "
                "images neither from their reconstructions nor from damaged ones "
                f"(`discriminator_auroc` {last[-1, 0]:.2f}, `discriminator_damage_auroc` "
                f"{last[-1, 1]:.2f}). Raise its learning rate, or lower `adversarial_weight`."
            )
            warnings.warn(self.message, CollapseWarning, stacklevel=2)


def _auroc(good, other):
    """Returns how surely logits tell good images, which have the larger ones, from others."""
    metric = ImageAUROC()
    metric.update_state(np.repeat([0.0, 1.0], [len(good), len(other)]), -np.append(good, other))
    return float(metric.result())
