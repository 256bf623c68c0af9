"""The group of the verbs: an error that a user can act on is one sentence and an exit code.

The package names its arguments as Python does (`max_value`); a verb says the option (--max-value).
"""

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from kerasad.cli_output import (
    Outcome,
    asked_for,
    directed_output,
    output_options,
)
from kerasad.errors import FailedError, InputError, describe_machine_failure
from kerasad.framework_noise import silence_frameworks
from kerasad.keras_backend import describe_wrong_backend
from kerasad.training.config import DataConfig

_ARGUMENT = re.compile(r"`(?P<section>data\.|model\.|training\.)?(?P<name>[a-z_]+)`")


class Verb(click.Command):
    """Turns an error that a user can act on into one sentence and an exit code.

    A verb needs Keras on TensorFlow; its `--help` does not. It returns an `Outcome`, or the values
    of one.
    """

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.params += output_options()

    def make_context(self, info_name: str | None, args: list[str], *arguments, **options):
        """Reads the words of the verb; with `--json`, a wrong one is an object too."""
        words = list(args)  # `args` is used up
        with _usage_errors_as_json(words):
            return super().make_context(info_name, args, *arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        """Runs the verb; exits with 2 for bad input, with 1 for work or a machine that failed."""
        if not asked_for("verbose"):
            silence_frameworks()
        with directed_output() as print_object:
            try:
                if wrong := describe_wrong_backend():
                    raise InputError(wrong)
                outcome = super().invoke(context)
            except Exception as error:
                sentence, code = _describe(error)
                print_object({"error": name_options(sentence)})
                fail(sentence, code)
            if not isinstance(outcome, Outcome):
                outcome = Outcome(outcome or {})
            print_object(outcome.values)
        if outcome.code:
            context.exit(outcome.code)
        return outcome


class Verbs(click.Group):
    """The group of the verbs."""

    command_class = Verb

    def resolve_command(self, context: click.Context, args: list[str]) -> tuple:
        """Finds the verb; with `--json`, an unknown one is an object too."""
        with _usage_errors_as_json(args):
            return super().resolve_command(context, args)


@contextlib.contextmanager
def _usage_errors_as_json(words: Sequence[str]) -> Iterator[None]:
    """Prints a usage error as one JSON object if the words ask for it; click tells people."""
    try:
        yield
    except click.UsageError as error:
        options = words[: words.index("--")] if "--" in words else words
        if "--json" in options:
            click.echo(json.dumps({"error": error.format_message()}))
        raise


def _describe(error: Exception) -> tuple[str, int]:
    """Returns a sentence and the exit code; raises an error again that no user can act on."""
    if isinstance(error, InputError):
        return str(error), 2
    sentence = str(error) if isinstance(error, FailedError) else describe_machine_failure(error)
    if sentence is None or isinstance(error, click.exceptions.Exit | click.ClickException):
        raise error
    return sentence, 1


def fail(error: Exception | str, code: int) -> None:
    """Ends the command with a sentence on stderr."""
    complain(str(error))
    click.get_current_context().exit(code)


def complain(sentence: str) -> None:
    """Prints a sentence on stderr, with options in place of arguments."""
    click.echo(f"kerasad: {name_options(sentence)}", err=True)


def show(text: str) -> None:
    """Prints a text of the package, with options in place of arguments."""
    click.echo(name_options(text))


def name_options(text: str) -> str:
    """Replaces names of arguments in backticks by the options of the verb that is running.

    How a run reads images is an option of `train`. An argument without an option stays, and where
    there is a configuration file so does what may be a slip in it.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return text
    own = _options(context.command)
    has_file = context.params.get("config") is not None
    reading = {field.name for field in dataclasses.fields(DataConfig)}
    verbs = None if context.parent is None else context.parent.command
    train = verbs.commands.get("train") if isinstance(verbs, click.Group) else None
    of_train = {} if train is None else _options(train)

    def replace(match):
        name = match["name"]
        if has_file and (match["section"] or name not in reading):
            return match[0]
        if name in own:
            return own[name]
        if name in reading and name in of_train:
            return f"{of_train[name]} of `kerasad train`"
        return match[0]

    return _ARGUMENT.sub(replace, text)


def words_of_verb() -> Callable[[str], str]:
    """Returns `name_options` of the verb that is running, for other threads too."""
    context = click.get_current_context()

    def in_words(text: str) -> str:
        with context.scope(cleanup=False):
            return name_options(text)

    return in_words


def _options(command: click.Command) -> dict[str, str]:
    return {
        parameter.name: parameter.opts[-1]
        for parameter in command.params
        if isinstance(parameter, click.Option)
    }
