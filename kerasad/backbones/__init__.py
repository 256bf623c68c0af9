"""Pretrained networks, frozen and used for their features."""

from kerasad.backbones.backbone import build_backbone
from kerasad.backbones.efficientnet_lite import (
    build_efficientnet_lite,
    build_efficientnet_lite_classifier,
)
from kerasad.backbones.resnet18 import build_resnet18

__all__ = [
    "build_backbone",
    "build_efficientnet_lite",
    "build_efficientnet_lite_classifier",
    "build_resnet18",
]
