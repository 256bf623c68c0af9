"""Anomaly localization for Keras 3: train on good images, find what is wrong in a new one."""

from kerasad import data, detector, export, layers, losses, metrics, models, synthetic
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.evaluation import evaluate
from kerasad.models import CAVGA, VAEGAN, WeaklySupervisedCAVGA
from kerasad.version import __version__

__all__ = [
    "CAVGA",
    "VAEGAN",
    "AnomalyDetector",
    "InputError",
    "WeaklySupervisedCAVGA",
    "__version__",
    "data",
    "detector",
    "evaluate",
    "export",
    "layers",
    "losses",
    "metrics",
    "models",
    "synthetic",
]
