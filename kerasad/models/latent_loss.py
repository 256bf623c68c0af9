"""The price of a latent code, comparable to a reconstruction loss per pixel value."""

from keras import ops

from kerasad.losses import gaussian_kl_divergence
from kerasad.models.adacos_modes import valid_cells


def latent_loss(z_mean, z_log_var, images, valid=None):
    """Returns the divergence from the prior in nats per value of the real pixels.

    Args:
        z_mean: float tensor `(batch, h, w, latent_dim)` or `(batch, latent_dim)`.
        z_log_var: float tensor of the same shape.
        images: float tensor `(batch, height, width, channels)`; only its size counts.
        valid: float tensor `(batch, height, width, 1)` or None. Cells with padding count nowhere,
            nor do the values of padded pixels.

    Returns:
        loss: float32 tensor `()`, >= 0.
    """
    divergence = gaussian_kl_divergence(z_mean, z_log_var)
    values = ops.cast(ops.size(images), "float32")
    if valid is not None:
        values = values * ops.mean(ops.cast(valid, "float32"))
        if len(divergence.shape) == 4:
            divergence = divergence * valid_cells(valid, divergence)[..., None]
        else:  # one code an image: it counts if the image has a real pixel
            some = ops.cast(ops.max(valid, axis=(1, 2, 3)) > 0, "float32")
            divergence = divergence * some[:, None]
    return ops.sum(divergence) / ops.maximum(values, 1.0)
