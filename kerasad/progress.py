"""One line for each phase of the work: how much is done, and how long the rest will take.

A terminal shows a bar that moves. A log gets plain lines: one when a phase ends, and one every half
minute while it lasts.
"""

import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from kerasad.console import count_of


class Phase:
    """Shows the progress of a phase on standard output; use it as a context manager.

    Args:
        title: str. What is done, as "measuring scales".
        total: int or None. Number of steps, if it is known.
        unit: str. What is counted, in the singular.
        verbose: int. 0 shows nothing.
        silent_seconds: float. How long a log has no word of a phase that lasts.
    """

    def __init__(
        self,
        title: str,
        total: int | None = None,
        unit: str = "image",
        verbose: int = 1,
        silent_seconds: float = 30.0,
    ):
        self.title, self.total, self.unit, self.verbose = title, total, unit, verbose
        self.silent_seconds = silent_seconds
        self.done = 0
        self._note = ""
        self._bar: Progress | None = None

    def __enter__(self) -> "Phase":
        self._start = self._last = time.monotonic()
        console = Console(highlight=False)
        moves = console.is_terminal and not console.is_dumb_terminal
        if self.verbose and (moves or console.is_jupyter):
            self._bar = Progress(*_columns(), console=console, refresh_per_second=4)
            self._task = self._bar.add_task(self.title, total=self.total, note="")
            self._bar.start()
        return self

    def advance(self, steps: int = 1, note: str | None = None) -> None:
        """Adds finished steps.

        Args:
            steps: int.
            note: str or None. Text behind the bar from now on, such as values of a loss.
        """
        self.done += steps
        self._note = self._note if note is None else note
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, note=self._note)
        elif self.verbose and time.monotonic() - self._last > self.silent_seconds:
            self._last = time.monotonic()
            _print(self._describe_rest())

    def say(self, text: str) -> None:
        """Prints a line of the phase where there is no bar."""
        if self.verbose and self._bar is None:
            self._last = time.monotonic()
            _print(text)

    def __exit__(self, kind, *_) -> None:
        if self._bar is not None:
            if kind is None and self.total is None:
                self._bar.update(self._task, total=self.done)
            self._bar.stop()
        elif self.verbose and kind is None:
            seconds = time.monotonic() - self._start
            _print(f"{self.title}: {count_of(self.done, self.unit)}, {_duration(seconds)}")

    def _describe_rest(self) -> str:
        if not self.total:
            return f"{self.title}: {count_of(self.done, self.unit)} so far"
        rest = (time.monotonic() - self._start) / self.done * (self.total - self.done)
        done = f"{self.done} of {count_of(self.total, self.unit)}"
        return f"{self.title}: {done}, about {_duration(rest)} left"


class _Rest(TimeRemainingColumn):
    """The time that is left, or in the end the time that it took."""

    def __init__(self):
        super().__init__(
            compact=True, elapsed_when_finished=True, table_column=Column(no_wrap=True)
        )

    def render(self, task) -> Text:
        text = super().render(task)
        return text if task.finished or task.total is None else text.append(" left")


def _columns():
    return (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        _Rest(),
        TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=True)),
    )


def _print(text: str) -> None:
    print(text, file=sys.stdout, flush=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
