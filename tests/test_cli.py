import os
import subprocess
import sys

import click
import numpy as np
import pytest
import tensorflow as tf
from command_line import must, refused
from PIL import Image

from kerasad.cli import main
from kerasad.cli_group import name_options
from kerasad.models.adacos import ADACOS_MODES, LABELLED_ADACOS_MODES
from kerasad.training.recipes import RECIPES


def test_help_lists_verbs_models_and_defaults():
    text = must("--help").output
    for verb in main.commands:
        assert f"  {verb} " in text
    text = must("train", "--help").output
    assert f"[{'|'.join(RECIPES)}]" in text
    assert f"[{'|'.join([*ADACOS_MODES, *LABELLED_ADACOS_MODES, 'none'])}]" in text
    assert "[default: 256]" in text


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--help"], ["check"]])
def test_help_and_refused_words_do_not_wait_for_tensorflow(words):
    program = (
        "import atexit, sys\n"
        "heavy = {'keras', 'numpy', 'tensorflow'}\n"
        "atexit.register(lambda: print('loaded:', sorted(heavy & set(sys.modules))))\n"
        f"sys.argv = ['/usr/bin/kerasad', *{words}]\n"  # as the command starts
        "from kerasad.cli import main\n"
        "main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.stdout.endswith("loaded: []\n"), result.stdout + result.stderr


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (MemoryError(), "smaller --image-size or --batch-size"),
        (tf.errors.ResourceExhaustedError(None, None, "OOM"), "smaller --image-size or --batch-"),
        (
            OSError(28, "No space left on device", "/disk/run"),
            "/disk/run cannot be read or written",
        ),
        (
            tf.errors.ResourceExhaustedError(
                None, None, "{{node a}} /disk/x.data; No space left on device [Op:SaveV2]"
            ),
            "/disk/x.data cannot be read or written (No space left on device)",
        ),
    ],
)
def test_a_machine_that_is_not_sufficient_is_one_sentence(error, part, monkeypatch):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("kerasad.runs.train.train_run", fail)
    assert part in refused("train", "demo", "--output", "run", code=1)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_console_of_any_encoding_shows_every_name(encoding):
    program = (
        "import sys\n"
        "sys.argv = ['/usr/bin/kerasad']\n"  # as the command starts
        "import click\n"
        "from kerasad.cli import main\n"
        "@main.command()\n"
        "def show():\n"
        "    click.echo('Größe 部品 \\udcff')\n"
        "    print('Größe 部品 \\udcff')\n"
        "    print(20 * '━')\n"  # as Keras draws its bars
        "main(['show'])\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONIOENCODING": encoding,
        "PYTHONUTF8": "0",
    }
    command = [sys.executable, "-X", "utf8=0", "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True)
    assert result.returncode == 0, result.stderr
    name = "Größe 部品 \udcff".encode(encoding, "backslashreplace")
    assert name + b"\n" in result.stdout
    assert ("━" * 20 if encoding == "utf-8" else "=" * 20).encode() in result.stdout


@pytest.mark.parametrize("verb", ["evaluate", "calibrate", "report", "predict"])
def test_a_folder_that_is_no_run_is_named(verb, tmp_path):
    more = ["x.png", "--output", tmp_path / "out"] if verb == "predict" else []
    assert "is not a run" in refused(verb, tmp_path, *more)


@pytest.mark.parametrize(
    ("verb", "options", "text", "expected"),
    [
        ("train", {}, "set `max_value` to 4095.", "set --max-value to 4095."),
        ("train", {}, "make `crop_size` smaller.", "make --tile smaller."),
        ("train", {}, "`data.batch_size` must be", "--batch-size must be"),
        ("train", {"config": "a.json"}, "`data.batch_size` must", "`data.batch_size` must"),
        ("train", {"config": "a.json"}, "did you mean `latent_dim`?", "did you mean `latent_dim`?"),
        ("evaluate", {}, "set `mask_foreground` to", "set --mask-foreground to"),
        ("predict", {}, "raise `pixel_limit`.", "raise --pixel-limit of `kerasad train`."),
        ("predict", {}, "the RUN that `train` wrote", "the RUN that `train` wrote"),
        ("predict", {}, "`probability` must lie", "`probability` must lie"),
    ],
)
def test_a_sentence_names_the_option_and_no_argument_of_python(verb, options, text, expected):
    command = main.commands[verb]
    with click.Context(command, parent=click.Context(main)) as context:
        context.params = options
        assert name_options(text) == expected
    assert name_options(text) == text  # in Python


def test_what_was_found_names_the_option(tmp_path):
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 4000, (32, 32), "uint16")
        (tmp_path / "good").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"good/{number}.png")
    result = must("inspect-data", tmp_path / "good", "--output", tmp_path / "sheet.png")
    assert "set --max-value to 4095" in result.output
    message = refused(
        "train", tmp_path / "good", "--output", tmp_path / "run", "--pixel-limit", 100
    )
    assert "raise --pixel-limit" in message
