"""The terms of the training objective, one small file a topic."""

from kerasad.losses.adversarial import discriminator_adversarial_loss, generator_adversarial_loss
from kerasad.losses.latent import gaussian_kl_divergence
from kerasad.losses.reconstruction import (
    ReconstructionLoss,
    binary_cross_entropy,
    structural_similarity,
)

__all__ = [
    "ReconstructionLoss",
    "binary_cross_entropy",
    "discriminator_adversarial_loss",
    "gaussian_kl_divergence",
    "generator_adversarial_loss",
    "structural_similarity",
]
