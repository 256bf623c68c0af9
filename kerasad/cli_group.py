"""The group of the verbs: an error that a user can act on is one sentence and an exit code."""

from typing import Any

import click

from kerasad.errors import FailedError, InputError, describe_machine_failure
from kerasad.keras_backend import describe_wrong_backend


class Verb(click.Command):
    """A verb, which needs Keras on TensorFlow; its `--help` does not."""

    def invoke(self, context: click.Context) -> Any:
        """Runs the verb, or raises an `InputError` for another backend."""
        if wrong := describe_wrong_backend():
            raise InputError(wrong)
        return super().invoke(context)


class Verbs(click.Group):
    """Turns an error that a user can act on into one sentence and an exit code."""

    command_class = Verb

    def invoke(self, context: click.Context) -> Any:
        """Runs a verb; exits with 2 for bad input, with 1 for work or a machine that failed."""
        try:
            return super().invoke(context)
        except InputError as error:
            return fail(context, error, 2)
        except FailedError as error:
            return fail(context, error, 1)
        except Exception as error:
            sentence = describe_machine_failure(error)
            if sentence is None:
                raise
            return fail(context, sentence, 1)


def fail(context: click.Context, error: Exception | str, code: int) -> None:
    """Ends the command with a sentence on stderr."""
    click.echo(f"kerasad: {error}", err=True)
    context.exit(code)
