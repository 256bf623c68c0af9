"""Pretrained networks, frozen and used for their features."""

from kerasad.backbones.backbone import build_backbone
from kerasad.backbones.efficientnet_lite0 import (
    build_efficientnet_lite0,
    build_efficientnet_lite0_classifier,
)
from kerasad.backbones.resnet18 import build_resnet18

__all__ = [
    "build_backbone",
    "build_efficientnet_lite0",
    "build_efficientnet_lite0_classifier",
    "build_resnet18",
]
