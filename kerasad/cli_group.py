"""The group of the verbs: an error that a user can act on is one sentence and an exit code.

The package names its arguments as Python does (`max_value`); a verb says the option (--max-value).
"""

import dataclasses
import re
from typing import Any

import click

from kerasad.errors import FailedError, InputError, describe_machine_failure
from kerasad.keras_backend import describe_wrong_backend
from kerasad.training.config import DataConfig

_ARGUMENT = re.compile(r"`(?P<section>data\.|model\.|training\.)?(?P<name>[a-z_]+)`")


class Verb(click.Command):
    """Turns an error that a user can act on into one sentence and an exit code.

    A verb needs Keras on TensorFlow; its `--help` does not.
    """

    def invoke(self, context: click.Context) -> Any:
        """Runs the verb; exits with 2 for bad input, with 1 for work or a machine that failed."""
        try:
            if wrong := describe_wrong_backend():
                raise InputError(wrong)
            return super().invoke(context)
        except InputError as error:
            return fail(error, 2)
        except FailedError as error:
            return fail(error, 1)
        except Exception as error:
            sentence = describe_machine_failure(error)
            if sentence is None:
                raise
            return fail(sentence, 1)


class Verbs(click.Group):
    """The group of the verbs."""

    command_class = Verb


def fail(error: Exception | str, code: int) -> None:
    """Ends the command with a sentence on stderr."""
    click.echo(f"kerasad: {name_options(str(error))}", err=True)
    click.get_current_context().exit(code)


def show(text: str, err: bool = False) -> None:
    """Prints a text of the package, with options in place of arguments."""
    click.echo(name_options(text), err=err)


def name_options(text: str) -> str:
    """Replaces names of arguments in backticks by the options of the verb that is running.

    What a run has from its training is an option of `train`. An argument without an option stays,
    and so does a key of the configuration where a file may have set it.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return text
    own = _options(context.command)
    verbs = None if context.parent is None else context.parent.command
    reading = {}
    if isinstance(verbs, click.Group) and "train" in verbs.commands:
        fields = {field.name for field in dataclasses.fields(DataConfig)}
        options = _options(verbs.commands["train"])
        reading = {name: option for name, option in options.items() if name in fields}

    def replace(match):
        name = match["name"]
        if match["section"] and context.params.get("config") is not None:
            return match[0]
        if name in own:
            return own[name]
        return f"{reading[name]} of `kerasad train`" if name in reading else match[0]

    return _ARGUMENT.sub(replace, text)


def _options(command: click.Command) -> dict[str, str]:
    return {
        parameter.name: parameter.opts[-1]
        for parameter in command.params
        if isinstance(parameter, click.Option)
    }
