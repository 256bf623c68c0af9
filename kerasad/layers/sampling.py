"""Draws the latent code of a variational autoencoder."""

import keras
from keras import ops

from kerasad.layers.seeded import SeededLayer


@keras.saving.register_keras_serializable(package="kerasad")
class Sampling(SeededLayer):
    """Samples `z` by the reparametrization trick: `z = z_mean + exp(z_log_var / 2) * epsilon`.

    `epsilon` is standard normal noise of the shape of `z_mean`. Outside training the layer
    returns `z_mean`, so that a score never depends on chance.

    Args:
        seed: int or None. Seed of the noise; its generator's state is saved with the layer.

    Call arguments:
        inputs: pair `(z_mean, z_log_var)` of float tensors of one shape `(batch, ...)`.
        training: bool. Whether to add noise.

    Returns:
        z: float tensor of the shape of `z_mean`.

    Reference: Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, section 2.4.
    """

    def call(self, inputs, training=False):
        """Returns `z`; see the class."""
        z_mean, z_log_var = inputs
        if not training:
            return z_mean
        epsilon = keras.random.normal(
            ops.shape(z_mean), dtype=z_mean.dtype, seed=self.seed_generator
        )
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon

    def compute_output_shape(self, input_shape):
        """Returns the shape of `z_mean`."""
        return input_shape[0]
