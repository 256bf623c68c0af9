"""What an `AnomalyDetector`, its training and its report need of a model."""

import inspect
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from kerasad.data.geometry import unpack_inputs


class AnomalyModel(keras.Model):
    """Base class of every model that a detector can be made of.

    A subclass sets `image_shape` and its other arguments as attributes of the same names in its
    `__init__`, and defines `tensors`. Everything else has a default for models that lack it, so
    that detectors, trainings and reports need neither `getattr` nor the class of a model.

    Attributes:
        image_shape: `(height, width, 3)` of the model's images.
        cell_grid: `(h, w)` of the grid of its tensors if the grid follows the real part of a padded
            image, see `kerasad.layers.content_grid`; else None.
        learns_from_labels: bool. Whether `fit` needs images that are labelled defective.
        warmup_steps: int. Training steps until every loss has its full weight.
    """

    image_shape: tuple[int, int, int]
    cell_grid: tuple[int, int] | None = None
    learns_from_labels = False
    warmup_steps = 0

    @property
    def remark(self) -> str | None:
        """A sentence for the user about how the model sees images, or None."""
        return None

    @classmethod
    def init_arguments(cls) -> dict:
        """Returns the default values of arguments by name.

        A subclass has the arguments of its parents too, with its own defaults where it sets any.
        """
        arguments = {}
        for parent in reversed(cls.__mro__):
            if issubclass(parent, AnomalyModel) and "__init__" in vars(parent):
                parameters = inspect.signature(parent.__init__).parameters.values()
                known = {p.name: p.default for p in parameters if p.default is not p.empty}
                arguments.update(known)
        return arguments

    def get_config(self):
        """Returns the arguments of `__init__`, from the attributes of their names."""
        names = ("image_shape", *self.init_arguments())
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def tensors(self, inputs) -> dict:
        """Returns what one forward pass knows about images, for the experts of a detector.

        Experts, drift descriptors and reports choose among these by name, and do without the ones
        that a model lacks. Those with a meaning beyond one expert: `attention_map` `(batch, h, w,
        1)` in [0, 1], `z_mean` `(batch, ..., latent_dim)`, `features` `(batch, h, w, channels)`,
        `anomaly_map` `(batch, h, w, 1)`, which then is the only map of a detector by default.

        Args:
            inputs: images, float tensor `(batch, height, width, 3)` in [0, 1]; or a dict of
                `images` and `valid` (`(batch, height, width, 1)`: 1 = counts, 0 = padding,
                0.5 = outside the region of interest, see `kerasad.layers.cells.counting`).

        Returns:
            tensors: dict of float32 tensors by name.
        """
        raise NotImplementedError

    def reconstruct(self, inputs):
        """Returns the reconstruction as a picture, `(batch, h, w, 3)`, or None.

        Args:
            inputs: as in `tensors`.
        """
        return None

    def residual_map(self, inputs):
        """Returns how far images are from their reconstruction, `(batch, h, w, 1)`, or None.

        That is the mean over channels of `|x - r|`, unless a subclass has a better measure.

        Args:
            inputs: as in `tensors`.
        """
        reconstruction = self.reconstruct(inputs)
        if reconstruction is None:
            return None
        images, _ = unpack_inputs(inputs)
        return ops.mean(ops.abs(images - reconstruction), axis=-1, keepdims=True)

    def image_logits(self, inputs) -> dict | None:
        """Returns the discriminator's mean logit of each image, or None without a discriminator.

        Args:
            inputs: as in `tensors`.

        Returns:
            dict of `image` and `reconstruction`, float32 tensors `(batch,)`, larger = more real.
        """
        return None

    def adapt(self, data, max_images: int = 1024) -> None:
        """Measures statistics of good images that gradients do not learn; most models have none.

        Args:
            data: inputs as in `tensors`, or a dataset of batches of them.
            max_images: int. Images to read at most, approximately.
        """

    @property
    def trained_weights(self) -> list[keras.Variable]:
        """The weights that `fit` changes, in an order that is the same in each copy.

        There are none without trainable variables, as after `model.trainable = False`.
        """
        return self.weights if self.trainable_variables else []

    def precompute(self, data, num_images: int, max_bytes: int) -> dict[str, tf.Variable] | None:
        """Computes what does not change during training, or returns None.

        Args:
            data: dataset of batches of inputs: each training image once, in order.
            num_images: int. Images in it.
            max_bytes: int. Memory for the result.

        Returns:
            rows: variables with a row for each image, for `Category.train_from`.
        """
        return None


@dataclass(frozen=True)
class TrainingBatch:
    """Images, what the networks see of them, and what counts.

    All but `images` and `real` are of pixels or, in a model that works on features, of cells.

    Attributes:
        images: float tensor `(batch, height, width, 3)` in [0, 1], without synthetic defects.
        real: `valid` of the images, see `AnomalyModel.tensors`, or None.
        inputs: what the encoder reads; in training, with synthetic defects.
        target: what the decoder is to restore: the same without defects.
        mask: float tensor `(batch, h, w, 1)`, where the defects are; of a cell, its share of
            defective pixels.
        family: int tensor `(batch,)`, the family of each image's defect, 0 = none.
        valid: float tensor `(batch, h, w, 1)`, 0 where neither target nor reconstruction counts, or
            None.
        labels: float tensor `(batch,)`, 1 = labelled defective, or None.
    """

    images: Any
    real: Any
    inputs: Any
    target: Any
    mask: Any
    family: Any
    valid: Any = None
    labels: Any = None
