"""Which experts a detector has: lists by name, each made of the tensors that a model offers.

To add an expert, write its file and add its class here: to `MODEL_EXPERTS` if every model that has
its tensors should have it, else to a list of its own. A recipe of `kerasad.training` names the
list that it wants; a detector that is given no experts takes `default_experts`.

Every list is a function of `shapes`, a dict from names of tensors to their shapes (batch
included), and `position_free` (see `Expert`).
"""

from kerasad.detector.experts.adacos_distance import (
    DefectLogit,
    EmbeddingResidual,
    PrototypeDistance,
)
from kerasad.detector.experts.attention import AnomalousAttention, Inattention
from kerasad.detector.experts.base import Expert
from kerasad.detector.experts.cell_gaussian import CellGaussian
from kerasad.detector.experts.cell_memory import CellMemory
from kerasad.detector.experts.critic import Critic
from kerasad.detector.experts.discriminator_residual import DiscriminatorResidual
from kerasad.detector.experts.feature_residual import FeatureResidual
from kerasad.detector.experts.latent_kl import LatentKL
from kerasad.detector.experts.model_map import ModelMap
from kerasad.detector.experts.pixel_residual import PixelResidual
from kerasad.detector.experts.ssim_residual import SSIMResidual

MODEL_EXPERTS = {
    "pixel_residual": (PixelResidual, {}),
    "ssim_residual": (SSIMResidual, {}),
    "discriminator_residual": (DiscriminatorResidual, {}),
    "critic": (Critic, {}),
    "latent_kl": (LatentKL, {}),
    "inattention": (Inattention, {}),
    "anomalous_attention": (AnomalousAttention, {}),
    "prototype_distance": (PrototypeDistance, {}),
    "defect_logit": (DefectLogit, {}),
    "embedding_residual": (EmbeddingResidual, {}),
    "latent_gaussian": (CellGaussian, {"tensor": "z_mean"}),
    "encoder_gaussian": (CellGaussian, {"tensor": "encoder_features"}),
    "discriminator_gaussian": (CellGaussian, {"tensor": "discriminator_features"}),
    "embedding_gaussian": (CellGaussian, {"tensor": "embedding"}),
}
"""Class and arguments of the experts that any model with their tensors can have, by name."""

_OF_FEATURES = {"max_channels": 96, "counts": True}


def trust(experts: list[Expert]) -> tuple[list[int], list[bool], list[float]]:
    """Returns degrees of experts, which of them rate images, and their votes, for `fuse`."""
    properties = [(each.degrees, each.rates_images, each.vote) for each in experts]
    return tuple(map(list, zip(*properties, strict=True)))


def default_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns the experts of a detector that is given none.

    The map of a model that makes one by itself, as the published methods do. Else
    `feature_experts` for a model that restores the features of a pretrained network. For any other,
    `model_experts`, after `feature_statistics_experts` if it has `features`.
    """
    own = ModelMap(position_free=position_free, name="model_map")
    if own.available(shapes):
        return [own]
    if FeatureResidual.scales_of(shapes):
        return feature_experts(shapes, position_free)
    experts = model_experts(shapes, position_free)
    if CellMemory("features").available(shapes):
        experts = feature_statistics_experts(shapes, position_free) + experts
    return experts


def patch_gaussian_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns one Gaussian of all channels of all taps at each cell."""
    options = {"max_channels": 256, "max_side": 256, "window": 3, "shared": 2, "counts": True}
    return [CellGaussian("features", position_free=position_free, name="patch_gaussian", **options)]


def feature_memory_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns one memory of good cells of all taps together, on the grid of the coarsest tap."""
    options = {"capacity": 3000, "coreset": "random", "sample_cells": 20_000}
    options["max_channels"] = 96
    return [
        CellMemory(
            "features",
            position_free=position_free,
            name="feature_memory",
            query_stride=_pool(shapes),
            counts=True,
            **options,
        )
    ]


def feature_statistics_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns the Gaussian and the memory of all taps, and a Gaussian of each finer tap.

    The Gaussian of all taps, which has the most channels, makes the score alone. The others know
    better where something is wrong.
    """
    experts = patch_gaussian_experts(shapes, position_free)
    experts += feature_memory_experts(shapes, position_free)
    return experts + _fine_gaussians(shapes, position_free)


def feature_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns the experts of a model that restores the features of a pretrained network.

    These are `feature_statistics_experts`, the angle to what the model restores, and what its
    discriminator and its AdaCos classes say, where they have learnt to.
    """
    experts = feature_statistics_experts(shapes, position_free)
    experts += feature_residual_experts(shapes, position_free)
    critics = [
        Critic(position_free=position_free, name="critic"),
        DefectLogit(position_free=position_free, name="defect_logit"),
    ]
    return experts + [critic for critic in critics if critic.available(shapes)]


def _fine_gaussians(shapes, position_free):
    """Returns a Gaussian of each tap that is finer than the coarsest one."""
    options = {"max_side": 256, **_OF_FEATURES}
    experts, sides = [], _tap_sides(shapes)
    for scale, side in sides.items():
        if side > min(sides.values()):
            # A place is no smaller than a cell: finer ones show nearly the same, and noise.
            fine = side >= shapes["features"][1]
            tensor = f"features_{scale}" if fine else f"tap_{scale}"
            name = f"feature_gaussian_{scale}"
            experts.append(CellGaussian(tensor, position_free=position_free, name=name, **options))
    return experts


def model_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns every one of `MODEL_EXPERTS` whose tensors there are.

    These are the defaults of a model from scratch. On pretrained features they are off, and
    `benchmarks/feature_ablation.py` measures what they would add.
    """
    experts = [
        expert_class(position_free=position_free, name=name, **arguments)
        for name, (expert_class, arguments) in MODEL_EXPERTS.items()
    ]
    return [expert for expert in experts if expert.available(shapes)]


def feature_residual_experts(shapes: dict, position_free: bool = False) -> list[Expert]:
    """Returns the angle between features and restored features, over all scales."""
    scales = FeatureResidual.scales_of(shapes)
    return [FeatureResidual(scales, position_free=position_free, name="feature_residual")]


def _tap_sides(shapes):
    """Returns the number of rows of each tap's own grid by scale, none if a model has no taps."""
    scales = [int(name.removeprefix("tap_")) for name in shapes if name.startswith("tap_")]
    return {scale: shapes[f"tap_{scale}"][1] for scale in sorted(scales)}


def _pool(shapes):
    """Returns how many cells of `features` a cell of the coarsest tap covers, down and across."""
    grid = shapes["features"][1]
    return max(1, round(grid / min(_tap_sides(shapes).values(), default=grid)))
