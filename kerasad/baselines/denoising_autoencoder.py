"""The denoising autoencoder."""

import keras
from keras import ops

from kerasad.baselines.autoencoder import Autoencoder, mean_error, squared_error
from kerasad.errors import check_at_least, check_whole
from kerasad.layers.seeded import SeededLayer


@keras.saving.register_keras_serializable(package="kerasad")
class DenoisingAutoencoder(Autoencoder):
    """Autoencoder that learns to take noise out of good images.

    Loss: the mean over pixels and channels of `(x - r)^2`, with an image `x` and what is restored,
    `r`, of `x + n`. The noise `n` is normal with deviation `noise`, drawn for each block of
    `noise_cell` x `noise_cell` pixels and each channel, and interpolated linearly. Map:
    `(x - r)^2` of the image without noise, mean over the channels; the score is its maximum. What
    good images do not have is taken for noise.

    Args:
        noise: float >= 0. Its deviation.
        noise_cell: int. Side of a block in pixels; 1 is noise of single pixels.
        **kwargs: as in `Autoencoder`; the code has a cell for each place by default.

    Call arguments, result and errors: as in `Autoencoder`.

    Reference: Vincent et al., "Extracting and composing robust features with denoising
    autoencoders", ICML 2008, with noise of single values; the coarse noise, without which
    defects are restored too, after Kascenas et al., "Denoising autoencoders for unsupervised
    anomaly detection in brain MRI", MIDL 2022 (deviation .2, 16 x 16 blocks on images of 128
    pixels). Departures: no connections that skip the code, noise all over the image.
    """

    def __init__(self, image_shape, noise=0.2, noise_cell=8, latent="conv", **kwargs):
        check_at_least("noise", noise, 0)
        check_whole("noise_cell", noise_cell, 1)
        self.noise = noise
        self.noise_cell = noise_cell
        super().__init__(image_shape, latent=latent, **kwargs)

    def build_networks(self):
        """Creates the noise too."""
        self.coarse_noise = CoarseNoise(self.noise, self.noise_cell, seed=self.seed)
        return super().build_networks()

    def damage(self, images, training):
        """Returns images with noise in training."""
        return self.coarse_noise(images, training=training)

    def terms(self, images, valid, made, training):
        """Returns the squared error to the image without noise."""
        error = squared_error(images, made["reconstruction"])
        return {"reconstruction_loss": (1.0, mean_error(error, valid))}


@keras.saving.register_keras_serializable(package="kerasad")
class CoarseNoise(SeededLayer):
    """Adds normal noise of blocks of pixels, and clips to [0, 1]; outside training, nothing.

    Args:
        deviation: float. Of the noise of a block.
        cell: int. Side of a block in pixels.
        seed: int or None.

    Call arguments:
        images: float tensor `(batch, height, width, channels)` in [0, 1].
        training: bool.

    Returns:
        noisy: float32 tensor of the same shape.
    """

    def __init__(self, deviation: float, cell: int, seed: int | None = None, **kwargs):
        super().__init__(seed, **{"dtype": "float32", **kwargs})
        self.deviation = deviation
        self.cell = cell

    def call(self, images, training=False):
        """Returns noisy images; see the class."""
        if not training:
            return images
        height, width, channels = images.shape[1:]
        grid = (-(-height // self.cell), -(-width // self.cell))
        shape = (ops.shape(images)[0], *grid, channels)
        noise = keras.random.normal(shape, stddev=self.deviation, seed=self.seed_generator)
        if grid != (height, width):
            noise = ops.image.resize(noise, (height, width), interpolation="bilinear")
        return ops.clip(images + noise, 0.0, 1.0)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "deviation": self.deviation, "cell": self.cell}
