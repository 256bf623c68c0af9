"""What verbs print: sentences, one JSON object, or nothing."""

import json
import os
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from kerasad.cli import main
from kerasad.cli_group import Verbs, show
from kerasad.cli_output import Outcome, as_plain
from kerasad.errors import FailedError, InputError


@click.group(cls=Verbs)
def group():
    """Verbs that measure nothing."""


@group.command()
def measure():
    """Measures."""
    show("a sentence")
    print("a bar")
    return {"auroc": np.float32(0.5), "run": Path("runs/x"), "iou": float("nan"), "name": "Größe"}


@group.command()
@click.option("--code", type=int)
def end(code):
    """Ends with a code."""
    if code is None:
        raise FailedError("The disk is full.")
    if code == 2:
        raise InputError("`code` is not allowed.")
    return Outcome({"drift": True}, code)


def run(*words):
    return CliRunner().invoke(group, words)


def test_people_read_sentences():
    result = run("measure")
    assert result.stdout == "a sentence\na bar\n"


def test_machines_get_one_object_and_all_else_is_on_stderr():
    result = run("measure", "--json")
    expected = {"auroc": 0.5, "run": os.path.join("runs", "x"), "iou": None, "name": "Größe"}
    assert json.loads(result.stdout) == expected
    assert len(result.stdout.splitlines()) == 1
    assert result.stdout.isascii()  # whatever the console is
    assert result.stderr == "a sentence\na bar\n"


def test_quiet_leaves_the_object_alone():
    assert run("measure", "--quiet").output == ""
    result = run("measure", "--quiet", "--json")
    assert json.loads(result.stdout)["auroc"] == 0.5
    assert result.stderr == ""


def test_an_error_is_an_object_too_and_keeps_its_exit_code():
    result = run("end", "--code", "2", "--json")
    assert json.loads(result.stdout) == {"error": "--code is not allowed."}
    assert (result.exit_code, result.stderr) == (2, "kerasad: --code is not allowed.\n")
    result = run("end", "--json")
    assert json.loads(result.stdout) == {"error": "The disk is full."}
    assert result.exit_code == 1


def test_an_outcome_has_an_exit_code_of_its_own():
    result = run("end", "--code", "3", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (3, {"drift": True})
    assert run("end", "--code", "0").exit_code == 0


def test_an_error_in_the_code_is_never_hidden():
    @group.command()
    def fall():
        """Falls."""
        raise ZeroDivisionError

    assert isinstance(run("fall", "--json").exception, ZeroDivisionError)


@pytest.mark.parametrize("verb", main.commands)
def test_every_verb_has_the_options_of_output(verb):
    names = {name for parameter in main.commands[verb].params for name in parameter.opts}
    assert {"--quiet", "--json", "--verbose"} <= names


def test_values_become_plain():
    values = {"a": (1, np.int64(2)), 3: np.array([0.5, np.inf]), "b": Outcome({"c": Path("d")})}
    assert as_plain(values) == {
        "a": [1, 2],
        "3": [0.5, None],
        "b": {"values": {"c": "d"}, "code": 0},
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("end", "--code", "many", "--json"), "'many' is not a valid integer"),
        (("measure", "--wide", "--json"), "No such option"),
        (("measure", "too", "much", "--json"), "unexpected extra argument"),
        (("mesure", "--json"), "No such command 'mesure'"),
    ],
)
def test_a_wrong_word_is_an_object_too_and_the_exit_code_stays(words, sentence):
    result = run(*words)
    assert result.exit_code == 2
    assert sentence in json.loads(result.stdout)["error"]
    assert len(result.stdout.splitlines()) == 1
    assert "Usage:" in result.stderr
    assert run(*words[:-1]).stdout == ""


def test_json_behind_two_dashes_is_a_file_name():
    assert run("measure", "--", "--json").stdout == ""
