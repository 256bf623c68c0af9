"""Layers and functions of tensors: sampling, AdaCos, attention, grids of cells, smoothing."""

from kerasad.layers.adacos import AdaCos, InstanceAdaCos
from kerasad.layers.gaussian_blur import GaussianBlur
from kerasad.layers.sampling import Sampling

__all__ = ["AdaCos", "GaussianBlur", "InstanceAdaCos", "Sampling"]
