"""Pretrained networks, frozen and used for their features."""

from kerasad.backbones.backbone import build_backbone
from kerasad.backbones.efficientnet_lite import (
    build_efficientnet_lite,
    build_efficientnet_lite_classifier,
)
from kerasad.backbones.hub import build_hub_backbone, patch_tokens_of
from kerasad.backbones.patch_tokens import PatchTokens
from kerasad.backbones.resnet18 import build_resnet18

__all__ = [
    "PatchTokens",
    "build_backbone",
    "build_efficientnet_lite",
    "build_efficientnet_lite_classifier",
    "build_hub_backbone",
    "build_resnet18",
    "patch_tokens_of",
]
