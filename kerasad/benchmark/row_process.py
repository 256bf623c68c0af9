"""What the processes of one row do: train and calibrate a run, or evaluate it.

Their words are `train CONFIG RUN RESULT` or `evaluate RUN RESULT`. RESULT is a JSON file to write:
what was measured, or the `reason` why it could not be.
"""

import os
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from kerasad.errors import InputError, TrainingDivergedError, describe_machine_failure
from kerasad.files import write_json
from kerasad.memory import peak_memory_mb
from kerasad.runs.evaluate import evaluate_run
from kerasad.runs.run import open_run
from kerasad.runs.train import train_run
from kerasad.training.config import load_config


def main(words: list[str]) -> None:
    """Does one step and writes what came of it."""
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    step, *paths, result = words
    try:
        values = {"train": _train, "evaluate": _evaluate}[step](*map(Path, paths))
    except Exception as error:
        traceback.print_exc()
        values = {"reason": _describe(error)}
    write_json(result, values)


def _train(config: Path, run: Path) -> dict[str, Any]:
    # A run without a row is that of a benchmark that was killed between the two.
    started = time.perf_counter()
    train_run(load_config(config), run, overwrite=True, verbose=0)
    seconds = round(time.perf_counter() - started, 3)
    return {"fit_seconds": seconds, "fit_memory_mb": peak_memory_mb()}


def _evaluate(run: Path) -> dict[str, Any]:
    evaluate_run(open_run(run), verbose=0)
    return {}


def _describe(error: Exception) -> str:
    if isinstance(error, InputError | TrainingDivergedError):
        return str(error)
    lines = str(error).strip().splitlines() or [""]
    return describe_machine_failure(error) or f"{type(error).__name__}: {lines[0]}"


def _end_with_the_driver() -> None:
    """Ends this process when the one that started it is gone, however that ended."""
    while os.read(0, 1):  # not `sys.stdin`, whose lock an ending interpreter must have
        pass
    os._exit(1)
