"""How far the latent code is from its prior."""

from keras import ops

from kerasad.layers.cells import valid_cells


def gaussian_kl_divergence(z_mean, z_log_var):
    """Returns the divergence of a diagonal Gaussian from the standard normal, per coordinate.

    `KL = (z_mean^2 + exp(z_log_var) - 1 - z_log_var) / 2`.

    Args:
        z_mean: float tensor of any shape.
        z_log_var: float tensor of the same shape.

    Returns:
        divergence: float32 tensor of the same shape, >= 0, in nats.

    Reference: Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, appendix B.
    """
    z_mean = ops.cast(z_mean, "float32")
    z_log_var = ops.cast(z_log_var, "float32")
    # expm1 keeps the digits near the prior, where exp(v) - 1 - v would cancel.
    return 0.5 * (ops.square(z_mean) + ops.expm1(z_log_var) - z_log_var)


def latent_kl_loss(z_mean, z_log_var, target, valid=None):
    """Returns the divergence of a latent code from its prior, in nats per value of the target.

    Args:
        z_mean: float tensor `(batch, h, w, latent_dim)` or `(batch, latent_dim)`.
        z_log_var: float tensor of the same shape.
        target: float tensor `(batch, height, width, channels)`; only its size counts.
        valid: float tensor `(batch, height, width, 1)` or None. Cells with padding are ignored,
            and so are the values of padded pixels.

    Returns:
        loss: float32 tensor `()`, >= 0.
    """
    divergence = gaussian_kl_divergence(z_mean, z_log_var)
    values = ops.cast(ops.size(target), "float32")
    if valid is not None:
        values = values * ops.mean(ops.cast(valid, "float32"))
        if len(divergence.shape) == 4:
            divergence = divergence * valid_cells(valid, divergence)[..., None]
        else:  # one code for each image, which counts if the image has a real pixel
            some = ops.cast(ops.max(valid, axis=(1, 2, 3)) > 0, "float32")
            divergence = divergence * some[:, None]
    return ops.sum(divergence) / ops.maximum(values, 1.0)
