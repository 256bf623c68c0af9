"""How far restored features are from those of the good image."""

import itertools
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from kerasad.errors import InputError

# Squared lengths below it count as it, so that a vector of zeros has a cosine of 0.
_SMALLEST = 1e-12


def cosine_distance(features, restored):
    """Returns `1 - cos` of the features of each cell, float32 `(..., 1)` in [0, 2].

    Args:
        features: float tensor `(..., channels)`.
        restored: float tensor of the same shape.
    """
    return _angles(features, restored, lambda values: ops.sum(values, axis=-1, keepdims=True))


def scale_slices(scales: Sequence[int]) -> list[slice]:
    """Returns where each scale's channels are, for scales of so many channels."""
    ends = list(itertools.accumulate(scales))
    return [slice(end - size, end) for end, size in zip(ends, scales, strict=True)]


def scale_angles(features, restored, scales: Sequence[int]):
    """Returns the mean of `cosine_distance` over the scales, float32 `(..., 1)` in [0, 2].

    Args:
        features: float tensor `(..., channels)`.
        restored: float tensor of the same shape.
        scales: channels of each scale.
    """
    # A matrix product sums up each scale: gradients of slices would be padded and added up.
    members = np.repeat(np.eye(len(scales), dtype="float32"), scales, axis=0)
    angles = _angles(features, restored, lambda values: ops.matmul(values, members))
    return ops.mean(angles, axis=-1, keepdims=True)


def _angles(features, restored, sums):
    """Returns `1 - cos`, with the function that sums up channels."""
    features, restored = ops.cast(features, "float32"), ops.cast(restored, "float32")
    # The product is divided by the lengths, not the vectors: nothing large is made.
    lengths = ops.maximum(sums(features * features), _SMALLEST)
    lengths = ops.rsqrt(lengths) * ops.rsqrt(ops.maximum(sums(restored * restored), _SMALLEST))
    return 1.0 - sums(features * restored) * lengths


@keras.saving.register_keras_serializable(package="kerasad")
class FeatureReconstructionLoss(keras.losses.Loss):
    """Squared error of standardized features, and the angle between them at each scale.

    `mean over cells and channels of (x - r)^2 + mean over cells and scales of (1 - cos(x_s, r_s))`,
    with `x_s` the channels of scale `s`. The first fixes the size of features, the second is what
    defects are found by: a cell's features turn where something is that good images do not have,
    while their size follows brightness and contrast.

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
        """Returns float32 `(batch,)`; `weights` must be None, every cell counts."""
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        squared = ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
        return squared + ops.mean(scale_angles(y_true, y_pred, self.scales), axis=(1, 2, 3))

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "scales": self.scales}
