"""Anomaly-map experts, one concept a file."""

from kerasad.scoring.experts.adacos_distance import (
    DefectLogit,
    EmbeddingResidual,
    PrototypeDistance,
)
from kerasad.scoring.experts.anomalous_attention import AnomalousAttention
from kerasad.scoring.experts.base import Expert
from kerasad.scoring.experts.cell_gaussian import CellGaussian
from kerasad.scoring.experts.cell_memory import CellMemory
from kerasad.scoring.experts.discriminator_residual import DiscriminatorResidual
from kerasad.scoring.experts.feature_residual import FeatureResidual
from kerasad.scoring.experts.inattention import Inattention
from kerasad.scoring.experts.latent_kl import LatentKL
from kerasad.scoring.experts.pixel_residual import PixelResidual
from kerasad.scoring.experts.ssim_residual import SSIMResidual

__all__ = [
    "AnomalousAttention",
    "CellGaussian",
    "CellMemory",
    "DefectLogit",
    "DiscriminatorResidual",
    "EmbeddingResidual",
    "Expert",
    "FeatureResidual",
    "Inattention",
    "LatentKL",
    "PixelResidual",
    "PrototypeDistance",
    "SSIMResidual",
    "default_experts",
]


def default_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns one of each expert that a model with these tensors can serve.

    Args:
        shapes: dict from names of tensors to their shapes, batch included.
        position_free: bool, see `Expert`.

    Returns:
        experts: list of layers with distinct names.
    """
    if FeatureResidual.available(shapes):
        return feature_experts(shapes, position_free)
    simple = {
        "pixel_residual": PixelResidual,
        "ssim_residual": SSIMResidual,
        "discriminator_residual": DiscriminatorResidual,
        "latent_kl": LatentKL,
        "inattention": Inattention,
        "anomalous_attention": AnomalousAttention,
        "prototype_distance": PrototypeDistance,
        "defect_logit": DefectLogit,
        "embedding_residual": EmbeddingResidual,
    }
    experts = [
        cls(position_free=position_free, name=name)
        for name, cls in simple.items()
        if cls.available(shapes)
    ]
    for name, tensor in (
        ("latent_gaussian", "z_mean"),
        ("encoder_gaussian", "encoder_features"),
        ("discriminator_gaussian", "discriminator_features"),
        ("embedding_gaussian", "embedding"),
    ):
        if CellGaussian.available(shapes, tensor):
            experts.append(CellGaussian(tensor, position_free=position_free, name=name))
    return experts


def feature_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns every expert for a model that restores features; see `default_experts`."""
    common = {"position_free": position_free}
    scales = FeatureResidual.scales_of(shapes)
    experts = [FeatureResidual(scales, name="feature_residual", **common)]
    experts += [
        FeatureResidual([scale], name=f"feature_residual_{scale}", **common) for scale in scales
    ]
    for name, cls in {
        "discriminator_residual": DiscriminatorResidual,
        "latent_kl": LatentKL,
        "inattention": Inattention,
        "anomalous_attention": AnomalousAttention,
        "prototype_distance": PrototypeDistance,
        "defect_logit": DefectLogit,
        "embedding_residual": EmbeddingResidual,
    }.items():
        if cls.available(shapes):
            experts.append(cls(name=name, **common))
    for name, tensor in (
        ("feature_gaussian", "features"),
        ("latent_gaussian", "z_mean"),
        ("discriminator_gaussian", "discriminator_features"),
        ("embedding_gaussian", "embedding"),
    ):
        experts.append(CellGaussian(tensor, name=name, **common))
    return experts
