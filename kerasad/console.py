"""Text of a console: every name of a file, whatever the encoding, and numbers with their nouns."""

import codecs
import io
import sys

HANDLER = "kerasad.console"
SUBSTITUTES = {"━": "="}
"""Keras draws its progress bars with the first sign, and falls back to the second."""


def show_every_text() -> None:
    """Makes standard output and error write `\\xe4` for a letter that the console cannot show.

    Python's default for output is an error, and file names may hold letters of any language, or
    bytes that are not letters at all.
    """
    codecs.register_error(HANDLER, _substitute)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def _substitute(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeEncodeError):
        part = error.object[error.start : error.end]
        if set(part) <= SUBSTITUTES.keys():
            return "".join(SUBSTITUTES[sign] for sign in part), error.end
    return codecs.backslashreplace_errors(error)


def count_of(count: int, noun: str) -> str:
    """Returns a number and what it counts: "1 image", "2 epochs", "2 batches"."""
    plural = f"{noun}es" if noun.endswith("tch") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
