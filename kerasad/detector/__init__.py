"""From a trained model to calibrated maps, scores and decisions."""

from kerasad.detector.conformal import ConformalRule, conformal_rule
from kerasad.detector.decision import ConformalDecision
from kerasad.detector.detector import AnomalyDetector

__all__ = ["AnomalyDetector", "ConformalDecision", "ConformalRule", "conformal_rule"]
