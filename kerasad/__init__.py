"""Anomaly localization for Keras 3: train on good images, find what is wrong in a new one.

Importing the package registers every class that a saved model may consist of.
"""

import sys
from pathlib import Path

from kerasad.errors import InputError
from kerasad.keras_backend import describe_wrong_backend
from kerasad.version import __version__

# The command line imports what a verb needs, so that its --help need not wait for TensorFlow.
if Path(sys.argv[0]).stem != "kerasad":
    if wrong := describe_wrong_backend():
        raise ImportError(wrong)
    from kerasad import (
        baselines,
        data,
        detector,
        export,
        layers,
        losses,
        metrics,
        models,
        synthetic,
    )
    from kerasad.detector import AnomalyDetector
    from kerasad.evaluation import evaluate
    from kerasad.models import CAVGA, VAEGAN, FeatureVAEGAN, WeaklySupervisedCAVGA
    from kerasad.training.recipes import import_models

    import_models()

__all__ = [
    "CAVGA",
    "VAEGAN",
    "AnomalyDetector",
    "FeatureVAEGAN",
    "InputError",
    "WeaklySupervisedCAVGA",
    "__version__",
    "baselines",
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
