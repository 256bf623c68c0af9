"""How far a reconstruction is from its image."""

import keras
import numpy as np
from keras import ops

from kerasad.errors import check_at_least
from kerasad.layers.gaussian_blur import filter_axis
from kerasad.losses.means import mean_of_image


def binary_cross_entropy(images, reconstruction, weights=None):
    """Returns the binary cross-entropy per pixel value.

    `-(x * log(r) + (1 - x) * log(1 - r))`, with `x` a value of the image and `r` of the
    reconstruction; its smallest value is the entropy of `x`, not 0.

    Args:
        images: float tensor `(batch, height, width, channels)` in [0, 1].
        reconstruction: float tensor of the same shape in [0, 1]; clipped to keep the logarithm
            finite.
        weights: float tensor `(batch, height, width, 1)` or None. Pixels of weight 0 are
            ignored.

    Returns:
        loss: float32 tensor `(batch,)`, mean over the pixel values.
    """
    images = ops.cast(images, "float32")
    reconstruction = ops.clip(ops.cast(reconstruction, "float32"), 1e-6, 1.0 - 1e-6)
    error = -images * ops.log(reconstruction) - (1.0 - images) * ops.log(1.0 - reconstruction)
    return mean_of_image(ops.mean(error, axis=-1, keepdims=True), weights)


def structural_similarity(images, reconstruction, window_size=11, sigma=1.5, weights=None):
    """Returns the structural similarity around each pixel.

    `SSIM = (2 m_x m_y + c1) (2 s_xy + c2) / ((m_x^2 + m_y^2 + c1) (s_x^2 + s_y^2 + c2))`, with
    means `m`, variances `s^2` and covariance `s_xy` under a Gaussian window, `c1 = 0.01^2` and
    `c2 = 0.03^2` for a range of 1. Borders are mirrored.

    Args:
        images: float tensor `(batch, height, width, channels)` in [0, 1].
        reconstruction: float tensor of the same shape.
        window_size: int, odd. Width of the window in pixels.
        sigma: float. Standard deviation of the window in pixels.
        weights: float tensor `(batch, height, width, 1)` or None. Windows ignore pixels of
            weight 0; a window without any other has a similarity of 1.

    Returns:
        similarity: float32 tensor `(batch, height, width, channels)` in [-1, 1]; 1 for equal
        neighbourhoods.

    Reference: Wang et al., "Image quality assessment", IEEE TIP 2004, equation 13.
    """
    x = ops.cast(images, "float32")
    y = ops.cast(reconstruction, "float32")
    channels = x.shape[-1]
    # The five moments share one convolution; a difference of squares loses digits, so centre.
    centre = 0.5
    x, y = x - centre, y - centre
    moments = ops.concatenate([x, y, x * x, y * y, x * y], axis=-1)
    if weights is None:
        moments = _gaussian_window(moments, window_size, sigma)
    else:
        weights = ops.cast(weights, "float32")
        moments = _gaussian_window(moments * weights, window_size, sigma)
        moments = moments / ops.maximum(_gaussian_window(weights, window_size, sigma), 1e-12)
    mean_x, mean_y, square_x, square_y, product = (
        moments[..., i * channels : (i + 1) * channels] for i in range(5)
    )
    c1, c2 = 0.01**2, 0.03**2
    # TensorFlow reorders a sum of three terms where it knows their shapes, so that predicting and
    # serving would round differently; hence no such sum, but a maximum or a difference between.
    variance_x = ops.maximum(square_x - mean_x * mean_x, 0.0)
    variance_y_c2 = ops.maximum(square_y - mean_y * mean_y + c2, c2)
    covariance = product - mean_x * mean_y
    mean_x, mean_y = mean_x + centre, mean_y + centre
    luminance = (2.0 * mean_x * mean_y + c1) / (mean_x * mean_x - (-c1 - mean_y * mean_y))
    structure = (2.0 * covariance + c2) / (variance_x + variance_y_c2)
    return luminance * structure


def _gaussian_window(maps, window_size, sigma):
    offsets = np.arange(window_size) - window_size // 2
    window = np.exp(-0.5 * (offsets / sigma) ** 2)
    maps = filter_axis(maps, window / window.sum(), axis=1, mode="symmetric")
    return filter_axis(maps, window / window.sum(), axis=2, mode="symmetric")


@keras.saving.register_keras_serializable(package="kerasad")
class ReconstructionLoss(keras.losses.Loss):
    """Binary cross-entropy per pixel value, with a share of structural dissimilarity.

    `BCE(x, r) + ssim_weight * (1 - SSIM(x, r)) / 2`.

    Args:
        ssim_weight: float >= 0. 0 is the plain cross-entropy of the founding work.

    Raises:
        InputError: For a negative `ssim_weight`.

    Call arguments:
        y_true: images, float tensor `(batch, height, width, channels)` in [0, 1].
        y_pred: reconstruction, the same shape.

    Returns:
        loss: one value per image, reduced by the base class.
    """

    def __init__(self, ssim_weight: float = 0.0, name="reconstruction_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        check_at_least("ssim_weight", ssim_weight, 0.0)
        self.ssim_weight = float(ssim_weight)

    def call(self, y_true, y_pred, weights=None):
        """Returns float32 `(batch,)`; `weights` as in `binary_cross_entropy`."""
        loss = binary_cross_entropy(y_true, y_pred, weights)
        if self.ssim_weight:
            similarity = structural_similarity(y_true, y_pred, weights=weights)
            dissimilarity = 0.5 * (1.0 - ops.mean(similarity, axis=-1, keepdims=True))
            loss = loss + self.ssim_weight * mean_of_image(dissimilarity, weights)
        return loss

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "ssim_weight": self.ssim_weight}
