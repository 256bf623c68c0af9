"""One row of a benchmark, measured in processes of its own.

A process for the training and one for the evaluation: the peak of memory is that of a process's
whole life, TensorFlow gives back neither memory nor traced graphs, and a process that the system
kills takes one row along instead of all. What is measured is so what `kerasad train` and
`kerasad evaluate` do, whichever rows came before.
"""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from kerasad.benchmark.folder import DONE, FAILED, BenchmarkFolder
from kerasad.benchmark.plan import PlannedRow
from kerasad.data.split import PARTS
from kerasad.files import read_json
from kerasad.metrics.registry import quality_measures
from kerasad.runs.run import DETECTOR, SPLIT, Run

METRICS = (
    *(measure.name for measure in quality_measures()),
    "false_alarm_rate",
    "num_images",
    "image_size",
    "milliseconds_per_image",
    "milliseconds_batch_size",
    "train_seconds",
    "peak_memory_mb",
)
"""What a row takes from `metrics.json`."""

# The child imports the same modules as this process, wherever they come from.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from kerasad.benchmark.row_process import main; main(sys.argv[2:])"
)


def measure_row(planned: PlannedRow, folder: BenchmarkFolder, keep_runs: bool) -> dict[str, Any]:
    """Trains and evaluates one row.

    Args:
        planned: PlannedRow.
        folder: BenchmarkFolder. Has the run while it is needed, and what the processes print.
        keep_runs: bool. Keep the run.

    Returns:
        The row, ready for JSON: `status` is `"done"`, or `"failed"` with a `reason`.
    """
    run, log = folder.run_path(planned.name), folder.log_path(planned.name)
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="kerasad-") as scratch:
        config = Path(scratch) / "config.json"
        planned.config.write(config)
        result = Path(scratch) / "result.json"
        values = run_step(["train", config, run, result], result, log)
        if "reason" not in values:
            values = {**values, **run_step(["evaluate", run, result], result, log)}
    if "reason" in values:
        values = {"status": FAILED, "reason": values["reason"]}
    else:
        values = {"status": DONE, **values, **_read_run(Run(run))}
    if not keep_runs:
        shutil.rmtree(run, ignore_errors=True)
    return {
        **planned.identity,
        "name": planned.name,
        **values,
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "images": planned.images,
        "settings": planned.settings,
    }


def run_step(words: list[str | Path], result: Path, log: Path) -> dict[str, Any]:
    """Runs a step of `row_process` in a fresh process.

    Args:
        words: Its arguments.
        result: Path of its result, which is deleted.
        log: Path. What it prints is appended.

    Returns:
        The result; `{"reason": ...}` where the process ended without one.
    """
    command = [sys.executable, "-c", _START, json.dumps(sys.path), *map(os.fspath, words)]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    with log.open("ab") as output:
        # Nothing is ever written to its input: it ends when this process does.
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = process.wait()
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
    if not result.is_file():
        return {"reason": _describe_end(code, log)}
    values = read_json(result)
    result.unlink()
    return values


def _describe_end(code: int, log: Path) -> str:
    how = f"with exit code {code}"
    if code < 0:
        how = f"by signal {signal.Signals(-code).name}"
        if -code == getattr(signal, "SIGKILL", None):
            how += ", as when memory runs out"
    return f"The process ended {how}; {log} has what it printed."


def _read_run(run: Run) -> dict[str, Any]:
    metrics = run.metrics
    split = read_json(run.part(SPLIT))
    return {
        **{name: metrics[name] for name in METRICS},
        "model_mb": run.part(DETECTOR).stat().st_size / 2**20,
        "train_images": len(split["train"]),
        "good_images": sum(len(split[part]) for part in PARTS),
        "notes": metrics["notes"],
    }
