"""The autoencoder with structural similarity."""

import keras
from keras import ops

from kerasad.baselines.autoencoder import Autoencoder, mean_error
from kerasad.errors import InputError, check_whole
from kerasad.losses import structural_similarity


@keras.saving.register_keras_serializable(package="kerasad")
class AutoencoderSSIM(Autoencoder):
    """Autoencoder with a narrow code, trained to restore the structure of good images.

    Loss: the mean over pixels and channels of `(1 - SSIM(x, r)) / 2`, with an image `x`, its
    reconstruction `r`, and the similarity of the windows around each pixel, see
    `structural_similarity`. Map: the same at each pixel, mean over the channels; the score of an
    image is its maximum. Structure counts, whatever the brightness, and an edge that is moved by a
    pixel counts less than in squared error.

    Args:
        ssim_window: int, odd. Width of the window in pixels.
        **kwargs: as in `Autoencoder`.

    Call arguments, result and errors: as in `Autoencoder`.

    Reference: Bergmann et al., "Improving unsupervised defect segmentation by applying structural
    similarity to autoencoders", VISAPP 2019, section 3.2: windows of 11 pixels, a code of 100
    numbers, Adam with a rate of 2e-4 over 200 epochs. Departures: a Gaussian window; half of
    `1 - SSIM`, which has the same minimum; networks and optimizer as in `AutoencoderL2`.
    """

    def __init__(self, image_shape, ssim_window=11, **kwargs):
        check_whole("ssim_window", ssim_window, 1)
        if ssim_window % 2 == 0:
            raise InputError(f"`ssim_window` must be odd. Received: {ssim_window!r}")
        self.ssim_window = ssim_window
        super().__init__(image_shape, **kwargs)

    def terms(self, images, valid, made, training):
        """Returns the mean dissimilarity."""
        error = dissimilarity(images, made["reconstruction"], self.ssim_window, valid)
        return {"reconstruction_loss": (1.0, mean_error(error, valid))}

    def anomaly_map(self, images, made):
        """Returns the dissimilarity at each pixel; see the class."""
        return dissimilarity(images, made["reconstruction"], self.ssim_window)


def dissimilarity(images, reconstruction, window_size: int, valid=None):
    """Returns `(1 - SSIM) / 2`, mean over the channels, float32 `(batch, h, w, 1)` in [0, 1].

    Args:
        images: float tensor `(batch, h, w, channels)` in [0, 1].
        reconstruction: float tensor of the same shape.
        window_size: int, odd.
        valid: float tensor `(batch, h, w, 1)`, 0 where padded, or None.
    """
    similarity = structural_similarity(images, reconstruction, window_size, weights=valid)
    return 0.5 * (1.0 - ops.mean(similarity, axis=-1, keepdims=True))
