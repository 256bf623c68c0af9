"""Remarks about files and folders, and how they are printed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A remark about a file or folder.

    Args:
        path: str. The file or folder.
        message: str. One sentence, which names the path.
        broken: bool. Whether it makes an image or a mask unusable. `on_bad="raise"` refuses these;
            the others are only reported.
        kind: str or None. Problems of one kind may have messages that differ in numbers; they are
            printed as one line a folder. None: those of one message.
    """

    path: str
    message: str
    broken: bool = True
    kind: str | None = None


def format_problems(problems: Sequence[Problem], limit: int = 20) -> str:
    """Formats problems for printing: a count, then a line for each.

    What is said of several files of one folder takes one line, with the first one's message.

    Args:
        problems: Sequence of `Problem`.
        limit: int. How many lines to print, broken files first. Defaults to `20`.

    Returns:
        Lines of text; empty if there is no problem.
    """
    if not problems:
        return ""
    num_broken = sum(problem.broken for problem in problems)
    alike: dict[tuple[bool, str, str], list[Problem]] = {}
    for problem in sorted(problems, key=lambda problem: not problem.broken):
        text = problem.message.removeprefix(f"{problem.path}: ")
        key = (problem.broken, os.path.dirname(problem.path), problem.kind or text)
        alike.setdefault(key, []).append(problem)
    lines = [f"unusable files: {num_broken}, other remarks: {len(problems) - num_broken}"]
    lines += [f"  {_describe(folder, same)}" for (_, folder, _), same in alike.items()]
    if len(alike) > limit:
        lines[limit + 1 :] = [f"  ... and {len(alike) - limit} more"]
    return "\n".join(lines)


def _describe(folder: str, same: list[Problem]) -> str:
    if len(same) == 1:
        return same[0].message
    text = same[0].message.removeprefix(f"{same[0].path}: ")
    first = os.path.basename(same[0].path)
    return f"{folder}: {len(same)} times, such as {first}: {text}"
