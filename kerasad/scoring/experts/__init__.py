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
    """Returns the experts of a detector that is given none.

    Args:
        shapes: dict from names of tensors to their shapes, batch included.
        position_free: bool, see `Expert`.

    Returns:
        experts: list of layers with distinct names.
    """
    if FeatureResidual.available(shapes):
        return feature_experts(shapes, position_free)
    return further_experts(shapes, position_free)


def feature_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns what a detector of a model on pretrained features is made of.

    A Gaussian and a memory of all channels together on the grid of the coarsest tap, which know
    best whether something is wrong, where places mean something and where not; a Gaussian for each
    finer tap on the grid of cells, which know where; and the angle to the restored features.
    """
    common = {"position_free": position_free}
    scales = FeatureResidual.scales_of(shapes)
    grid = shapes["features"][1]
    sides = {scale: shapes[f"tap_{scale}"][1] for scale in scales}
    options = {"max_channels": 128, "max_side": 256, "counts": True, **common}
    pool = max(1, round(grid / min(sides.values())))
    experts = [
        FeatureResidual(scales, name="feature_residual", **common),
        CellGaussian("features", pool=pool, name="feature_gaussian", **options),
        CellMemory(
            "features",
            max_channels=128,
            query_stride=pool,
            counts=True,
            name="feature_memory",
            **common,
        ),
    ]
    for scale, side in sides.items():
        if side > min(sides.values()):
            # A place is no smaller than a cell: below, neighbours see nearly the same, and noise.
            tensor = f"features_{scale}" if side >= grid else f"tap_{scale}"
            experts.append(CellGaussian(tensor, name=f"feature_gaussian_{scale}", **options))
    return experts


def further_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns one of each other expert that a model with these tensors can serve.

    For a model from scratch they are the defaults; on pretrained features they are off, and
    `benchmarks/feature_ablation.py` measures what they would add.
    """
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
