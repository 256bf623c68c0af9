"""How far restored features are from those of the good image."""

import itertools
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from kerasad.errors import InputError
from kerasad.losses.means import mean_of_image

# The least squared length, so that a vector of zeros has a cosine of 0.
_SMALLEST = 1e-12


def cosine_distance(features, restored):
    """Returns `1 - cos` of the features of each cell, float32 `(..., 1)` in [0, 2].

    Args:
        features: float tensor `(..., channels)`.
        restored: float tensor of the same shape.
    """
    return _angles(features, restored, lambda values: ops.sum(values, axis=-1, keepdims=True))


def scale_slices(scales: Sequence[int]) -> list[slice]:
    """Returns the slice of each scale's channels, from the numbers of channels."""
    ends = list(itertools.accumulate(scales))
    return [slice(end - size, end) for end, size in zip(ends, scales, strict=True)]


def scale_angles(features, restored, scales: Sequence[int]):
    """Returns the `cosine_distance` at each scale, float32 `(..., scales)` in [0, 2].

    Args:
        features: float tensor `(..., channels)`.
        restored: float tensor of the same shape.
        scales: channels of each scale.
    """
    # A matrix product sums each scale: gradients of slices would be padded and added.
    members = np.repeat(np.eye(len(scales), dtype="float32"), scales, axis=0)
    return _angles(features, restored, lambda values: ops.matmul(values, members))


def _angles(features, restored, sums):
    """Returns `1 - cos`; `sums` is the function that sums channels."""
    features, restored = ops.cast(features, "float32"), ops.cast(restored, "float32")
    # Dividing the product, not both vectors, avoids large temporary tensors.
    lengths = ops.maximum(sums(features * features), _SMALLEST)
    lengths = ops.rsqrt(lengths) * ops.rsqrt(ops.maximum(sums(restored * restored), _SMALLEST))
    return 1.0 - sums(features * restored) * lengths


@keras.saving.register_keras_serializable(package="kerasad")
class FeatureReconstructionLoss(keras.losses.Loss):
    """Squared error of standardized features, and the angle between them at each scale.

    `mean over cells and channels of (x - r)^2 + mean over cells and scales of (1 - cos(x_s, r_s))`,
    with `x_s` the channels of scale `s`. The first determines the length of features, the second
    finds defects: the direction of a cell's features changes where there is something that good
    images lack, while their length follows brightness and contrast.

    Args:
        scales: list of ints. Channels of each scale, in the order of the features' channels.

    Call arguments:
        y_true: features, float tensor `(batch, h, w, channels)`.
        y_pred: restored features, the same shape.

    Returns:
        loss: one value per image, reduced by the base class.

    Raises:
        InputError: If `scales` is empty or holds a number below 1.
    """

    def __init__(self, scales: Sequence[int], name="feature_reconstruction_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        if not scales or min(scales) < 1:
            raise InputError(f"`scales` must be whole numbers of at least 1. Received: {scales}")
        self.scales = [int(channels) for channels in scales]

    def call(self, y_true, y_pred, weights=None):
        """Returns float32 `(batch,)`; `weights` of cells, `(batch, h, w, 1)`, or None."""
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        squared = ops.mean(ops.square(y_true - y_pred), axis=-1, keepdims=True)
        angles = ops.mean(scale_angles(y_true, y_pred, self.scales), axis=-1, keepdims=True)
        return mean_of_image(squared, weights) + mean_of_image(angles, weights)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "scales": self.scales}
