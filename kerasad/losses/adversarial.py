"""The two sides of the adversarial game."""

from keras import ops

from kerasad.losses.means import weighted_mean


def discriminator_adversarial_loss(real_logits, fake_logits, real_weights=None, fake_weights=None):
    """Returns the discriminator's loss, `-log D(x) - log(1 - D(r))`, mean over all logits.

    `D` is the sigmoid of the logits, `x` what is real and `r` what is not.

    Args:
        real_logits: float tensor of any shape.
        fake_logits: float tensor of any shape.
        real_weights: float tensor with as many elements as `real_logits`, >= 0, or None. Logits
            of weight 0 are ignored.
        fake_weights: the same for `fake_logits`.

    Returns:
        loss: float32 tensor `()`, >= 0; 2 log 2 where nothing can be told apart.

    Reference: Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, equation 1.
    """
    real = ops.softplus(-ops.cast(real_logits, "float32"))
    fake = ops.softplus(ops.cast(fake_logits, "float32"))
    return weighted_mean(real, real_weights) + weighted_mean(fake, fake_weights)


def generator_adversarial_loss(fake_logits, weights=None):
    """Returns the generator's non-saturating loss, `-log D(r)`, mean over all logits.

    Args:
        fake_logits: float tensor of any shape.
        weights: float tensor with as many elements, >= 0, or None. Logits of weight 0 are
            ignored.

    Returns:
        loss: float32 tensor `()`, >= 0.

    Reference: Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, section 3.
    """
    return weighted_mean(ops.softplus(-ops.cast(fake_logits, "float32")), weights)
