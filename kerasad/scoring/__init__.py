"""From a trained model to a calibrated map, score and decision."""

from kerasad.scoring.conformal import ConformalRule, conformal_rule
from kerasad.scoring.decision import ConformalDecision
from kerasad.scoring.detector import AnomalyDetector

__all__ = ["AnomalyDetector", "ConformalDecision", "ConformalRule", "conformal_rule"]
