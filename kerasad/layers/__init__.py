"""Layers of the networks: sampling, AdaCos, gradient attention, smoothing."""

from kerasad.layers.adacos import AdaCos
from kerasad.layers.gaussian_blur import GaussianBlur
from kerasad.layers.instance_adacos import InstanceAdaCos
from kerasad.layers.sampling import Sampling

__all__ = ["AdaCos", "GaussianBlur", "InstanceAdaCos", "Sampling"]
