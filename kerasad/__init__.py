"""Anomaly localization for Keras 3: train on good images, find what is wrong in a new one."""

from kerasad.errors import InputError
from kerasad.version import __version__

__all__ = ["InputError", "__version__"]
