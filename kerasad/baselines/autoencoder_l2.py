"""The autoencoder with squared error."""

import keras

from kerasad.baselines.autoencoder import Autoencoder, mean_error, squared_error


@keras.saving.register_keras_serializable(package="kerasad")
class AutoencoderL2(Autoencoder):
    """Autoencoder with a narrow code, trained to restore good images in squared error.

    Loss: the mean over pixels and channels of `(x - r)^2`, with an image `x` and its reconstruction
    `r`. Map: `(x - r)^2`, mean over the channels; the score of an image is its maximum. A code of
    few numbers can hold what good images have in common, and not what is wrong with one.

    Args, call arguments, result and errors: as in `Autoencoder`.

    Reference: Bergmann et al., "Improving unsupervised defect segmentation by applying structural
    similarity to autoencoders", VISAPP 2019, section 3.1, whose code has 100 numbers for textures,
    and whose Adam has a rate of 2e-4, over 200 epochs. Departures: the networks and optimizer of
    this package, with a rate of 1e-3 in fewer steps; no weight decay; whole images unless
    trained on crops.
    """

    def terms(self, images, valid, made, training):
        """Returns the squared error."""
        error = squared_error(images, made["reconstruction"])
        return {"reconstruction_loss": (1.0, mean_error(error, valid))}
