"""Anomaly-map experts, one concept a file."""

import math

from kerasad.detector.experts.adacos_distance import (
    DefectLogit,
    EmbeddingResidual,
    PrototypeDistance,
)
from kerasad.detector.experts.anomalous_attention import AnomalousAttention
from kerasad.detector.experts.base import Expert
from kerasad.detector.experts.cell_gaussian import CellGaussian
from kerasad.detector.experts.cell_memory import CellMemory
from kerasad.detector.experts.discriminator_residual import DiscriminatorResidual
from kerasad.detector.experts.feature_residual import FeatureResidual
from kerasad.detector.experts.inattention import Inattention
from kerasad.detector.experts.latent_kl import LatentKL
from kerasad.detector.experts.pixel_residual import PixelResidual
from kerasad.detector.experts.ssim_residual import SSIMResidual

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

    A Gaussian and a memory of all taps together on the grid of the coarsest one, which know
    best whether something is wrong, where places mean something and where not; a Gaussian for each
    finer tap on the grid of cells, which know where; and a Gaussian of what the model fails to
    restore, the same at all places, of the tap that comes nearest to the grid of cells: finer ones
    are averaged there, coarser ones enlarged.
    """
    common = {"position_free": position_free}
    grid = shapes["features"][1]
    sides = {scale: shapes[f"tap_{scale}"][1] for scale in FeatureResidual.scales_of(shapes)}
    coarsest = min(sides.values())
    own = min(sides, key=lambda scale: abs(math.log(sides[scale] / grid)))
    options = {"max_channels": 96, "max_side": 256, "counts": True}
    pool = max(1, round(grid / coarsest))
    experts = [
        CellGaussian(
            f"residual_features_{own}", position_free=True, name="residual_gaussian", **options
        ),
        CellGaussian("features", pool=pool, name="feature_gaussian", **options, **common),
        CellMemory(
            "features",
            capacity=3000,
            max_channels=96,
            query_stride=pool,
            counts=True,
            name="feature_memory",
            **common,
        ),
    ]
    for scale, side in sides.items():
        if side > coarsest:
            # A place is no smaller than a cell: below, neighbours see nearly the same, and noise.
            tensor = f"features_{scale}" if side >= grid else f"tap_{scale}"
            name = f"feature_gaussian_{scale}"
            experts.append(CellGaussian(tensor, name=name, **options, **common))
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
    if FeatureResidual.available(shapes):
        scales = FeatureResidual.scales_of(shapes)
        experts.append(
            FeatureResidual(scales, position_free=position_free, name="feature_residual")
        )
    return experts
