"""Anomaly localization for Keras 3: train on good images, find what is wrong in a new one."""

from kerasad import data, export, layers, losses, metrics, models, scoring
from kerasad.errors import InputError
from kerasad.evaluation import evaluate
from kerasad.models import CAVGA, VAEGAN, WeaklySupervisedCAVGA
from kerasad.scoring import AnomalyDetector
from kerasad.version import __version__

__all__ = [
    "CAVGA",
    "VAEGAN",
    "AnomalyDetector",
    "InputError",
    "WeaklySupervisedCAVGA",
    "__version__",
    "data",
    "evaluate",
    "export",
    "layers",
    "losses",
    "metrics",
    "models",
    "scoring",
]
