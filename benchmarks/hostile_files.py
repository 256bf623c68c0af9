"""What hostile files cost: memory and processor time added to `predict`, `train`, masks, serving.

    python benchmarks/hostile_files.py

Writes about fifty files (`hostile_kinds.py`) that are small or sparse and claim much, trains and
exports a tiny run, and gives each file to the four. One process for each verb does the same work
with and without the file: all of `predict` but loading the detector, all of `train` that reads
files, the reading of it as a mask of a defect, and a request to the exported graph (without the
request itself, which the client and the session hold: twice the file). Exits with 1 if a file adds
more than 700 MB or 5 seconds of processor time (others may use the machine).
"""

import argparse
import contextlib
import ctypes
import functools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from hostile_kinds import flat_png, photo, write_all
from results import markdown_table

VERBS = ("predict", "train", "mask", "serve")
MOST_MEGABYTES, MOST_SECONDS = 700, 5
CONFIG = {
    "data": {"image_size": "64x64", "batch_size": 4},
    "model": {"name": "patch_gaussian"},
    "training": {"synthetic_defects": 8},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="Only files with this in their name.")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker[0], Path(arguments.worker[1]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = [path for path in write_all(folder / "files") if arguments.only in path.name]
        prepare(folder)
        rows = [row for verb in VERBS for row in measure(verb, folder, files)]
    columns = ("file", "bytes", "verb", "seconds", "MB", "answer")
    print(markdown_table(columns, rows))
    worst = [row for row in rows if row[3] > MOST_SECONDS or row[4] > MOST_MEGABYTES]
    print(f"\n{len(files)} files, {len(rows)} measurements, {len(worst)} over the limits.")
    sys.exit(1 if worst else 0)


def prepare(folder):
    """Writes eight harmless images, and a run that was trained on them and exported."""
    for name, count in (("good", 8), ("few", 2)):
        (folder / name).mkdir()
        for seed in range(count):
            (folder / name / f"{seed}.png").write_bytes(photo("PNG", seed=seed))
    (folder / "harmless.png").write_bytes(flat_png(96, 96, 8, 0))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    run_verb(
        "train", folder / "good", "--output", folder / "run", "--config", folder / "config.json"
    )
    # As large as in training, so that the hostile files are decoded and not just refused.
    limit = ("--pixel-limit", "50000000")
    run_verb("export", folder / "run", "--output", folder / "served", "--no-warmup", *limit)


def run_verb(*arguments):
    """Runs a verb of the command line in this process, and returns what it printed."""
    from click.testing import CliRunner

    from kerasad.cli import main

    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exit_code:
        raise RuntimeError(f"{arguments[0]}: {result.output} {result.exception!r}")
    return result.output


def measure(verb, folder, files):
    """Yields a row for each file: what a process that does only this adds to its work without."""
    command = [sys.executable, __file__, "--worker", verb, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:

        def ask(path):
            print(path, file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        for _ in range(2):  # the first one warms up
            plain = ask("")
        for path in files:
            found = ask(path)
            seconds = round(found["seconds"] - plain["seconds"], 1)
            request = 2 * path.stat().st_size / 2**20 if verb == "serve" else 0
            megabytes = round(found["megabytes"] - plain["megabytes"] - request)
            print(verb, path.name, seconds, megabytes, file=sys.stderr, flush=True)
            yield path.name, path.stat().st_size, verb, seconds, megabytes, found["answer"]
        process.stdin.close()


def work(verb, folder):
    """Reads names of files, and prints time, peak memory and answer of each as JSON."""
    tasks = {
        "predict": make_predictor,
        "train": make_reader,
        "mask": make_mask_reader,
        "serve": make_server,
    }
    task = tasks[verb](folder)
    for line in sys.stdin:
        path = Path(line.strip()) if line.strip() else None
        ctypes.CDLL(None).malloc_trim(0)  # what earlier files left behind counts for none
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before, start = read_megabytes("VmRSS"), time.process_time()
        with contextlib.redirect_stdout(sys.stderr):  # progress, if the machine is slow
            answer = task(path)
        seconds, peak = time.process_time() - start, read_megabytes("VmHWM") - before
        answer = " ".join(answer.replace(str(folder), "").split())[:110]
        print(json.dumps({"seconds": seconds, "megabytes": peak, "answer": answer}), flush=True)


def read_megabytes(name):
    """Returns an entry of this process's status, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def make_predictor(folder):
    """Returns a function that predicts on two harmless files and this one."""
    from kerasad.runs.predict import predict_files
    from kerasad.runs.run import Run

    class LoadedRun(Run):
        """A run whose detector is loaded once."""

        @functools.cache  # noqa: B019
        def load_detector(self):
            return super().load_detector()

    run = LoadedRun(folder / "run")

    def predict(path):
        paths = [folder / "few"] + ([] if path is None else [path])
        predict_files(run, paths, folder / "out", verbose=0)
        lines = [json.loads(line) for line in (folder / "out/predictions.jsonl").open()]
        last = next((line for line in lines if line["path"] == str(path)), {})
        return last.get("error") or f"score {last.get('anomaly_score', 0):.3g}"

    return predict


def make_reader(folder):
    """Returns a function that reads eight harmless files and this one as `train` does."""
    from kerasad.training.building import open_category
    from kerasad.training.config import RunConfig

    def read(path):
        data = folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(folder / "good", data)
        if path is not None:
            (data / f"hostile{path.suffix}").symlink_to(path)
        config = {**CONFIG, "data": {**CONFIG["data"], "path": str(data)}}
        category = open_category(RunConfig.from_mapping(config))
        for part in (category.train_for_experts, category.validation, category.calibration):
            for _ in part:
                pass
        return category.index.problems[0].message if category.index.problems else "read"

    return read


def make_mask_reader(folder):
    """Returns a function that reads a harmless mask and this one.

    In a data set, a mask of another size than its photo is refused before it is decoded.
    """
    from kerasad.data.decoding import examine_mask
    from kerasad.errors import InputError

    def read(path):
        examine_mask(folder / "harmless.png")
        if path is None:
            return "read"
        try:
            return f"{examine_mask(path)[0].mean():.0%} marked"
        except InputError as error:  # an unclear mask is one, too
            return str(error)

    return read


def make_server(folder):
    """Returns a function that sends a harmless file and this one to the served graph."""
    model = None

    def serve(path):
        nonlocal model
        import tensorflow as tf

        from kerasad.export.execution import SessionModel

        model = model or SessionModel(folder / "served/1")
        files = [photo("PNG")] + ([] if path is None else [path.read_bytes()])
        try:
            outputs = model.run("serving_bytes", {"image_bytes": np.array(files, dtype=object)})
        except tf.errors.InvalidArgumentError as error:
            return f"INVALID_ARGUMENT: {error.message}"
        return f"score {outputs['anomaly_score'][-1]:.3g}"

    return serve


if __name__ == "__main__":
    main()
