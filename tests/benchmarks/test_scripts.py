"""Every benchmark can be started; what it measures takes too long for a test."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FILES = sorted(BENCHMARKS.rglob("*.py"))
NAMES = [".".join(path.relative_to(BENCHMARKS).with_suffix("").parts) for path in FILES]
# One needs anomalib's environment.
SCRIPTS = [
    name
    for name, path in zip(NAMES, FILES, strict=True)
    if "\ndef main(" in path.read_text(encoding="utf-8") and name != "peers.side_anomalib"
]


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_says_what_it_measures(name, load, monkeypatch, capsys):
    module = load(name)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as end:
        module.main()
    assert end.value.code == 0
    described = " ".join(capsys.readouterr().out.split())
    assert " ".join(module.__doc__.splitlines()[0].split()) in described


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_what_it_imports_of_kerasad_is_there(path):
    """Many import only in their functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "kerasad":
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")


def test_each_is_in_the_table():
    table = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    top = [path.name for path in FILES if path.parent == BENCHMARKS and path.name != "results.py"]
    assert not [name for name in top if f"`{name}`" not in table]
