"""What watches a training: how well it localizes defects, and whether the model collapses."""

import warnings

import keras
import numpy as np

from kerasad.metrics import OracleIoU, PixelAUROC
from kerasad.synthetic.choosing import ChoosingDefects
from kerasad.tracing import compiled


class CollapseNotice(keras.callbacks.Callback):
    """Warns once when the model has stopped saying anything about its images.

    Two ways to collapse are told apart by what the model logs: no latent dimension carries
    information (`active_latents` is 0: the decoder ignores the latent), or every reconstruction
    looks the same (`reconstruction_contrast` below `min_contrast`).

    Args:
        warmup_epochs: int. Epochs without a verdict, while the weight of the KL term rises. The
            last epoch of a training gets one in any case.
        min_contrast: float. Standard deviation of the reconstructions over that of the images.
            Defaults to `0.05`.
    """

    def __init__(self, warmup_epochs: int = 0, min_contrast: float = 0.05):
        super().__init__()
        self.warmup_epochs = warmup_epochs
        self.min_contrast = min_contrast
        self.message: str | None = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Looks at the two logs until one of them has collapsed."""
        is_last = epoch + 1 == (self.params or {}).get("epochs")
        if self.message is not None or (epoch < self.warmup_epochs and not is_last):
            return
        logs = logs or {}
        if logs.get("active_latents", 1.0) == 0.0:
            self.message = (
                f"The latent collapsed (epoch {epoch + 1}: `active_latents` is 0): the "
                "reconstruction ignores the image. Lower `kl_weight` or warm it up for longer."
            )
        elif (contrast := logs.get("reconstruction_contrast", 1.0)) < self.min_contrast:
            self.message = (
                f"The reconstructions are nearly constant (epoch {epoch + 1}: "
                f"`reconstruction_contrast` is {contrast:.3f}). Raise `reconstruction_weight`, "
                "lower the learning rate or train for longer."
            )
        if self.message is not None:
            warnings.warn(self.message, stacklevel=2)


class SyntheticLocalization(keras.callbacks.Callback):
    """Logs how well the residual finds synthetic defects on validation images.

    A fixed set of defects (the family kept for choosing, never trained on) is drawn once. After
    an epoch the residual (the model's `residual_map`, or else |x - prediction| averaged over
    the channels) is compared with their masks: `synthetic_iou` (pooled pixels, best over
    thresholds) and `synthetic_pixel_auroc`. A curve to look at and to choose by,
    without a real defect.

    Args:
        dataset: `tf.data.Dataset` of model inputs: images, or `{"images", "valid"}`.
        max_images: int. Images to take from it. Defaults to `32`.
        seed: int. Seed of the defects. Defaults to `0`.
        defects: object with `draw(images, seed, valid) -> (images, mask)`. Defaults to
            `ChoosingDefects()`.
        epochs: collection of ints from 1, or None. The epochs after which it is done; None is all.
    """

    def __init__(self, dataset, max_images: int = 32, seed: int = 0, defects=None, epochs=None):
        super().__init__()
        self.epochs = epochs
        self.batches = draw_batches(dataset, defects or ChoosingDefects(), max_images, seed)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Adds the two values to `logs`, so that every later callback sees them."""
        if self.epochs is not None and epoch + 1 not in self.epochs:
            return
        iou = OracleIoU()
        for inputs, mask, valid in self.batches:
            iou.update_state(mask, self._residual(inputs), sample_weight=valid)
        if logs is not None:
            logs["synthetic_iou"] = float(iou.result())
            # From the same counts: sorting the pixels is what takes the time.
            logs["synthetic_pixel_auroc"] = float(PixelAUROC.from_counts(iou.counts()))

    def set_model(self, model: keras.Model) -> None:
        """Takes up the model, and how its residual is computed."""
        super().set_model(model)
        if hasattr(model, "residual_map"):
            self._residual = compiled(model.residual_map, reduce_retracing=True)
        else:
            self._residual = self._residual_of_prediction

    def _residual_of_prediction(self, inputs):
        images = inputs["images"] if isinstance(inputs, dict) else inputs
        prediction = self.model.predict_on_batch(inputs)
        return np.mean(np.abs(images - prediction), axis=-1, keepdims=True)


def draw_batches(dataset, defects, max_images: int, seed: int) -> list[tuple]:
    """Batches of (inputs, mask, valid) with a synthetic defect on each image.

    Args:
        dataset: `tf.data.Dataset` of model inputs.
        defects: object with `draw(images, seed, valid) -> (images, mask)`.
        max_images: int. Images in all.
        seed: int. Seed of the defects.

    Returns:
        List of (inputs, mask (batch, height, width, 1), valid (batch, height, width, 1) or None),
        all numpy, inputs in the form in which `dataset` gives them.
    """
    batches, count = [], 0
    for batch in dataset.as_numpy_iterator():
        is_padded = isinstance(batch, dict)
        rest = max_images - count
        images = (batch["images"] if is_padded else batch)[:rest]
        valid = batch["valid"][:rest] if is_padded else None
        images, mask = defects.draw(images, seed + len(batches), valid)
        batches.append(({"images": images, "valid": valid} if is_padded else images, mask, valid))
        count += len(images)
        if count >= max_images:
            break
    return batches
