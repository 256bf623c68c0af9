"""What a verb prints: sentences for people, one JSON object for machines, or nothing."""

import contextlib
import dataclasses
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

Values = dict[str, Any] | None
"""What `--json` prints; None: an empty object."""

_META = "kerasad.output"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a verb returns to its group.

    Args:
        values: dict. The content of the JSON object.
        code: int. The exit code.
    """

    values: dict[str, Any]
    code: int = 0


def output_options() -> list[click.Option]:
    """Returns the options that every verb has."""

    def option(name: str, text: str) -> click.Option:
        return click.Option(
            [f"--{name}"], is_flag=True, expose_value=False, callback=_remember, help=text
        )

    return [
        option("quiet", "Print nothing but errors and warnings."),
        option("json", "Print one JSON object on standard output; all else goes to stderr."),
        option("verbose", "Show the messages of TensorFlow too."),
    ]


def asked_for(name: str) -> bool:
    """Returns whether the verb that is running was given `--quiet`, `--json` or `--verbose`."""
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(f"{_META}.{name}", False)


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[f"{_META}.{parameter.name}"] = value


@contextlib.contextmanager
def directed_output() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Sends standard output where the options say, and gives a function that prints an object.

    With `--json` all that the verb prints is sent to stderr, with `--quiet` nowhere.
    """
    out = sys.stdout

    def print_object(values: Mapping[str, Any]) -> None:
        if asked_for("json"):
            click.echo(json.dumps(as_plain(values), allow_nan=False), file=out)

    with contextlib.ExitStack() as stack:
        if asked_for("quiet"):
            options = {"encoding": "utf-8", "errors": "backslashreplace"}
            nowhere = stack.enter_context(open(os.devnull, "w", **options))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
        elif asked_for("json"):
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield print_object


def as_plain(value: Any) -> Any:
    """Returns a value as JSON has it: no path, no tuple, nothing of NumPy, null for NaN."""
    if isinstance(value, Mapping):
        return {str(name): as_plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(inner) for inner in value]
    if dataclasses.is_dataclass(value):
        return as_plain(dataclasses.asdict(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return as_plain(value.tolist())
