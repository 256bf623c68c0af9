"""Anomaly-map experts, one concept a file; `registry` says which a detector has."""

from kerasad.detector.experts.registry import *  # noqa: F403
