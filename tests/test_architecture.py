"""The rules of docs/architecture.md that a machine can check."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "kerasad"
ROOMS = (
    "version",
    "errors",
    "keras_backend",
    "console",
    "framework_noise",
    "progress",
    "locks",
    "files",
    "memory",
    "precision",
    "tracing",
    "layers",
    "losses",
    "metrics",
    "backbones",
    "data",
    "synthetic",
    "models",
    "baselines",
    "marking",
    "overlay",
    "detector",
    "evaluation",
    "training",
    "tuning",
    "report",
    "export",
    "runs",
    "inspector",
    "cli_output",
    "cli_group",
    "cli_options",
    "cli_many",
    "cli",
)
"""From the top down: a room imports only from those before it."""

FILES = sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(tree):
    """Yields the rooms that a file imports from, and the lines where it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "kerasad":
            names = [f"kerasad.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for name in names:
            if name.startswith("kerasad."):
                yield name.split(".")[1], node.lineno


def test_every_file_is_in_a_room():
    assert {room_of(path) for path in FILES} - {"__init__"} == set(ROOMS)


def test_imports_go_one_way():
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports from {room}"
        for path in FILES
        if room_of(path) != "__init__"
        for room, line in imported_rooms(tree_of(path))
        if ROOMS.index(room) > ROOMS.index(room_of(path))
    ]
    assert not wrong


def test_no_file_passes_350_lines():
    lengths = {str(p.relative_to(PACKAGE)): len(p.read_text().splitlines()) for p in FILES}
    assert {name: length for name, length in lengths.items() if length > 350} == {}


def is_own(node):
    """Whether an expression is `self`, `cls` or `super()`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def test_no_function_reaches_into_another_object():
    wrong = [
        f"{path.relative_to(PACKAGE)}:{node.lineno} {ast.unparse(node)}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not is_own(node.value)
        # Documented parts of Python under such names.
        and node.attr not in ("_replace", "_asdict", "_exit")
    ]
    assert not wrong


@pytest.mark.parametrize("function", ["getattr", "hasattr"])
def test_no_object_is_asked_by_name_what_it_is(function):
    """Only names that are known when the code is written; computed ones are another matter."""
    wrong = [
        f"{path.relative_to(PACKAGE)}:{node.lineno} {ast.unparse(node)}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == function
        and isinstance(node.args[1], ast.Constant)
        and not node.args[1].value.startswith("__")
        # Modules and the signal numbers of the system are no objects of ours.
        and ast.unparse(node.args[0]) not in ("signal",)
    ]
    assert not wrong


def test_every_file_that_the_page_names_exists():
    page = PACKAGE.parent / "docs" / "architecture.md"
    names = set(re.findall(r"`([\w/]+\.(?:py|html|md))`", page.read_text(encoding="utf-8")))
    # A name without its room stands in the row or the sentence of that room.
    tops = [top for top in PACKAGE.parent.iterdir() if not top.name.startswith(".")]
    known = {path.as_posix() for top in tops for path in (top, *top.rglob("*.*"))}
    missing = {
        name
        for name in names
        if "NAME" not in name and not any(path.endswith(f"/{name}") for path in known)
    }
    assert len(names) > 30
    assert not missing
