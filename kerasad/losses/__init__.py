"""The terms of the training objective, as functions of tensors."""

from kerasad.losses.adversarial import discriminator_adversarial_loss, generator_adversarial_loss
from kerasad.losses.attention import (
    attention_expansion_loss,
    complementary_guided_attention_loss,
)
from kerasad.losses.feature_reconstruction import (
    FeatureReconstructionLoss,
    cosine_distance,
    scale_angles,
    scale_slices,
)
from kerasad.losses.latent import gaussian_kl_divergence, latent_kl_loss
from kerasad.losses.means import mean_over_images
from kerasad.losses.reconstruction import (
    ReconstructionLoss,
    binary_cross_entropy,
    structural_similarity,
)

__all__ = [
    "FeatureReconstructionLoss",
    "ReconstructionLoss",
    "attention_expansion_loss",
    "binary_cross_entropy",
    "complementary_guided_attention_loss",
    "cosine_distance",
    "discriminator_adversarial_loss",
    "gaussian_kl_divergence",
    "generator_adversarial_loss",
    "latent_kl_loss",
    "mean_over_images",
    "scale_angles",
    "scale_slices",
    "structural_similarity",
]
