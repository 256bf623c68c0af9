"""What TensorFlow says as it starts does not reach the users of the command."""

import os
import subprocess
import sys

import pytest

from kerasad.framework_noise import muted_stderr

# A package that speaks as TensorFlow does, below Python, while it is imported.
LOUD = "import os; os.write(2, b'oneDNN is on\\n'); level = os.environ.get('TF_CPP_MIN_LOG_LEVEL')"
PROGRAM = (
    "import sys; sys.argv = ['/usr/bin/kerasad']\n"  # as the command starts
    "from kerasad.framework_noise import silence_frameworks\n"
    "silence_frameworks()\n"
    "import tensorflow\n"
    "print(tensorflow.level, type(tensorflow.__loader__).__name__)\n"
)


def run(program, *words, path=(), **environment):
    kept = {name: x for name, x in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    path = os.pathsep.join([*map(str, path), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**kept, **environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def loud(tmp_path):
    """A folder with a package of the name of TensorFlow."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow/__init__.py").write_text(LOUD)
    return tmp_path


def test_what_it_writes_while_it_is_imported_is_hidden(loud):
    result = run(PROGRAM, path=[loud])
    assert (result.stdout, result.stderr) == ("3 SourceFileLoader\n", "")


def test_a_level_that_the_user_has_set_stays(loud):
    result = run(PROGRAM, path=[loud], TF_CPP_MIN_LOG_LEVEL="0")
    assert (result.stdout, result.stderr) == ("0 SourceFileLoader\n", "")


def test_an_import_that_fails_shows_what_was_hidden(loud):
    (loud / "tensorflow/__init__.py").write_text(LOUD + "; raise OSError('no such library')")
    result = run(PROGRAM, path=[loud])
    assert result.returncode == 1
    assert result.stderr.startswith("oneDNN is on\n")
    assert "no such library" in result.stderr


def test_messages_after_it_are_shown(capfd):
    with muted_stderr():
        os.write(2, b"hidden")
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"


@pytest.mark.slow
@pytest.mark.parametrize("verbose", [False, True])
def test_nothing_that_tensorflow_says_reaches_the_user_unless_asked_for(verbose, tmp_path):
    program = "import sys; sys.argv[0] = '/usr/bin/kerasad'; from kerasad.cli import main; main()"
    words = ["evaluate", str(tmp_path / "no run"), *(["--verbose"] if verbose else [])]
    result = run(program, *words)
    lines = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (2, "")
    assert lines[-1].startswith("kerasad: ")
    assert (len(lines) > 1) == verbose, result.stderr
