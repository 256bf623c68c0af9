"""Networks whose features were learned elsewhere."""

from kerasad.backbones.resnet18 import build_resnet18

__all__ = ["build_resnet18"]
