"""Keras on another backend is refused in one sentence, before anything heavy is imported."""

import json
import os
import subprocess
import sys

import pytest

from kerasad.keras_backend import describe_wrong_backend

AS_COMMAND = (
    "import sys; sys.argv = ['/usr/bin/kerasad', *{}]; from kerasad.cli import main; main()"
)


def run_python(program, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")}
    kept["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-c", program], env={**kept, **environment}, capture_output=True, text=True
    )


@pytest.fixture
def home(tmp_path):
    """Where a keras.json names another backend."""
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "torch", "floatx": "float32"}))
    return tmp_path


@pytest.mark.parametrize("name", ["jax", "torch", "numpy"])
def test_import_names_the_backend_and_the_way_out(name):
    result = run_python("import kerasad", KERAS_BACKEND=name)
    lines = result.stderr.strip().splitlines()
    assert lines[-1] == (
        f"ImportError: TensorFlow must be the backend of Keras, but the environment variable "
        f"KERAS_BACKEND says '{name}': set the environment variable KERAS_BACKEND=tensorflow "
        "before Keras is imported."
    )
    assert len(lines) < 8


def test_import_names_the_file_that_sets_the_backend(home):
    result = run_python("import kerasad", KERAS_HOME=str(home))
    assert f"but {home / 'keras.json'} says 'torch'" in result.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("environment", [{"KERAS_BACKEND": "jax"}, {"KERAS_HOME": "here"}])
def test_a_verb_is_refused_and_its_help_is_not(home, environment):
    if "KERAS_HOME" in environment:
        environment = {"KERAS_HOME": str(home)}
    result = run_python(AS_COMMAND.format(["evaluate", "runs/x"]), **environment)
    assert result.returncode == 2
    assert result.stderr.startswith("kerasad: TensorFlow must be the backend of Keras, but ")
    assert len(result.stderr.strip().splitlines()) == 1
    for words in (["--help"], ["evaluate", "--help"]):
        result = run_python(AS_COMMAND.format(words), **environment)
        assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("text", ['{"backend": "tensorflow"}', "{}", "[]", "{", "[" * 100_000])
def test_other_settings_are_none_of_its_business(tmp_path, monkeypatch, text):
    (tmp_path / "keras.json").write_text(text)
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert describe_wrong_backend() is None
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nowhere"))
    assert describe_wrong_backend() is None


def test_the_variable_wins_over_the_file(home, monkeypatch):
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setenv("KERAS_BACKEND", "")  # as good as none, as Keras has it
    assert "'torch'" in describe_wrong_backend()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert describe_wrong_backend() is None


def test_keras_that_is_imported_already_tells_best(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # too late to matter
    assert describe_wrong_backend() is None
    monkeypatch.setattr("keras.config.backend", lambda: "jax")
    assert "imported already, says 'jax'" in describe_wrong_backend()
