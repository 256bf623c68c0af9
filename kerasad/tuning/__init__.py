"""Searches for a better configuration by KerasTuner, evaluated on synthetic defects."""

from kerasad.errors import MissingPackageError

try:
    # The last two KerasTuner imports when it needs them, which is in the middle of a search.
    import keras_tuner  # noqa: F401
    import sklearn  # noqa: F401
    import tensorboard  # noqa: F401
except ImportError as error:
    raise MissingPackageError.of_extra("Tuning", error.name, "tuning") from error

from kerasad.tuning.hypermodel import DetectorHyperModel
from kerasad.tuning.objective import OBJECTIVE, synthetic_localization
from kerasad.tuning.search import TUNERS, Search, tune

__all__ = [
    "OBJECTIVE",
    "TUNERS",
    "DetectorHyperModel",
    "Search",
    "synthetic_localization",
    "tune",
]
