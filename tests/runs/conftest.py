"""The tiny run, whose detectors are opened once."""

import pytest
from tiny_run import config, data, detectors_opened_once, run, shared, trained

__all__ = ["config", "data", "detectors_opened_once", "run", "shared", "trained"]


@pytest.fixture(scope="module", autouse=True)
def _detectors_are_opened_once(detectors_opened_once):
    pass
