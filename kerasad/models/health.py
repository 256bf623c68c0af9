"""Signs that a training is going wrong, cheap enough to watch at every step."""

import tensorflow as tf
from keras import ops

from kerasad.losses import gaussian_kl_divergence

# A latent channel that tells less than this about an image is taken to be unused.
ACTIVE_NATS = 0.01


def assert_finite(name: str, value) -> tf.Operation:
    """Returns an operation that stops the step when a loss is NaN or infinite.

    Args:
        name: str. The term, named in the message of the `tf.errors.InvalidArgumentError`.
        value: float tensor `()`.
    """
    message = (
        f"The loss term `{name}` is no longer a finite number. Lower the learning rate or the "
        "weight of this term, and check the images for NaN."
    )
    return tf.debugging.Assert(tf.math.is_finite(value), [message, value])


def active_latents(z_mean, z_log_var):
    """Returns the share of latent channels that carry more than `ACTIVE_NATS` nats.

    0 is a collapsed latent: the decoder no longer reads the code.

    Args:
        z_mean: float tensor `(batch, ..., latent_dim)`.
        z_log_var: float tensor of the same shape.

    Returns:
        share: float32 tensor `()` in [0, 1].
    """
    divergence = gaussian_kl_divergence(z_mean, z_log_var)
    axes = tuple(range(len(divergence.shape) - 1))
    return ops.mean(ops.cast(ops.mean(divergence, axis=axes) > ACTIVE_NATS, "float32"))


def reconstruction_contrast(images, reconstruction):
    """Returns how much reconstructions differ among each other, relative to their images.

    `std(r) / std(x)` over all values of the batch; near 0 is a constant output.

    Args:
        images: float tensor `(batch, height, width, channels)`.
        reconstruction: float tensor of the same shape.

    Returns:
        contrast: float32 tensor `()`, >= 0.
    """
    return ops.std(ops.cast(reconstruction, "float32")) / ops.maximum(
        ops.std(ops.cast(images, "float32")), 1e-6
    )
