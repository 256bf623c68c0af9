"""How the tests load a benchmark, which is a script beside others."""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Function of a name, such as `drift` or `peers.table`: the module of this benchmark."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module
