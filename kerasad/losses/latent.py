"""How far the latent code is from its prior."""

from keras import ops


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
