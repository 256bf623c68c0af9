"""Calls a function in a process of its own, which may die.

The peak of memory is that of a whole process, TensorFlow gives back neither memory nor traced
graphs, and a process that the system kills must not end the others.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from kerasad.console import show_every_text
from kerasad.errors import InputError, TrainingDivergedError, describe_machine_failure


class ProcessFailedError(RuntimeError):
    """The function raised an error, or its process died; the message says why."""


def call_in_process(function: Callable, *arguments: Any, log: Path) -> Any:
    """Calls a function of a module in a fresh process, which ends when this process does.

    Args:
        function: function. It, its arguments and its result are pickled.
        *arguments: its arguments.
        log: Path. A file to which everything that the process prints is appended.

    Raises:
        ProcessFailedError: The function raised an error, or the process died.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, log, function, arguments))
    process.start()
    theirs.close()
    try:
        result, reason = ours.recv()
    except EOFError:
        process.join()
        result, reason = None, _describe_end(process.exitcode, log)
    finally:
        process.kill()
        process.join()
        ours.close()
    if reason is not None:
        raise ProcessFailedError(reason)
    return result


def _work(connection: Connection, log: Path, function: Callable, arguments: tuple) -> None:
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    show_every_text()
    try:
        answer = function(*arguments), None
    except Exception as error:
        traceback.print_exc()
        answer = None, _describe_error(error)
    sys.stdout.flush()
    connection.send(answer)


def _end_with_the_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _describe_error(error: Exception) -> str:
    if isinstance(error, InputError | TrainingDivergedError):
        return str(error)
    line = str(error).strip().partition("\n")[0]
    return describe_machine_failure(error) or f"{type(error).__name__}: {line}"


def _describe_end(code: int, log: Path) -> str:
    how = f"with exit code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"
    if -code == getattr(signal, "SIGKILL", None):
        how += ", as when memory runs out"
    return f"The process ended {how}; {log} has what it printed."
