"""A search that is killed once and continued, and the results of its best configuration.

    python benchmarks/tuning.py ../shared/data/mvtec/bottle --output tuning.jsonl

The search is started by the command line, killed with SIGKILL after `--kill-after` seconds, and
started again with the same words. Then the best configuration and the default one are trained with
further seeds, and measured on the synthetic objective and, once and last, on the test images.
Rows are appended to the output file; rows that it already holds are not measured again.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from results import append_row, find_row, markdown_table, read_rows

METRICS = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "balanced_accuracy")
NAMES = ("default", "best")


def main():
    arguments = parse_arguments()
    shared = {
        "model": arguments.model,
        "data": Path(arguments.data).name,
        "image_size": arguments.image_size,
        "epochs": arguments.epochs,
        "tuner": arguments.tuner,
        "trials": arguments.trials,
    }
    key = {**shared, "kind": "search"}
    search = find_row(read_rows(arguments.output), key)
    if search is None:
        search = append_row(arguments.output, {**key, **run_search(arguments)})
    for seed in arguments.seeds:
        for name in different(search):
            key = {**shared, "kind": "configuration", "name": name, "seed": seed}
            if find_row(read_rows(arguments.output), key) is None:
                row = measure(arguments, search[name], seed)
                append_row(arguments.output, {**key, **row})
    print_tables(read_rows(arguments.output), shared, search, arguments.seeds)


def different(search):
    """Returns the names of both configurations, or of one if the default was the best."""
    from kerasad.training.config import RunConfig
    from kerasad.training.recipes import resolve_arguments

    best, default = (RunConfig.from_mapping(search[name]) for name in ("best", "default"))
    same = best.training == default.training and (
        resolve_arguments(best.model, 0) == resolve_arguments(default.model, 0)
    )
    return ("default",) if same else NAMES


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="category in MVTec layout")
    parser.add_argument("--model", default="vae_gan", help="as of kerasad tune")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--tuner", default="random", choices=["random", "bayesian", "hyperband"])
    parser.add_argument("--kill-after", type=float, default=300.0, help="seconds; 0: never")
    parser.add_argument("--search", help="folder of the search; else it is deleted")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 2, 3], help="not that of the search"
    )
    parser.add_argument("--output", default="tuning.jsonl", help="JSON lines to append to")
    return parser.parse_args()


def run_search(arguments):
    """Runs the search, killed once; returns its trials, and both configurations."""
    from kerasad.files import read_json

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.search or temporary) / "search"
        words = ["tune", arguments.data, "--output", folder, "--tuner", arguments.tuner]
        words += ["--trials", arguments.trials, "--epochs", arguments.epochs]
        words += ["--image-size", arguments.image_size, "--model", arguments.model]
        command = [sys.executable, "-c", "from kerasad.cli import main; main()", *map(str, words)]
        started = time.perf_counter()
        killed = None
        if arguments.kill_after:
            killed = kill(command, arguments.kill_after, folder / "trials.json")
        subprocess.run(command, check=True)
        rows = json.loads((folder / "trials.json").read_text())
        best = read_json(folder / "best_config.json")
    minutes = round((time.perf_counter() - started) / 60, 2)
    default = {**best, "model": {"name": best["model"]["name"]}, "training": {}}
    # The same number of epochs for both: of Hyperband's trials, the best may be a short one.
    for config in (best, default):
        config["training"]["epochs"] = arguments.epochs
    return {
        "killed_with_trials": killed,
        "minutes": minutes,
        "rows": rows,
        "best": best,
        "default": default,
    }


def kill(command, seconds, trials):
    """Kills a search; returns how many trials it had done, or None if it ended before."""
    process = subprocess.Popen(command)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        rows = json.loads(trials.read_text()) if trials.exists() else []
        done = sum(row["status"] != "running" for row in rows)
        print(f"--- killed after {seconds:.0f} s with {done} trials done", flush=True)
        return done
    return None


def measure(arguments, values, seed):
    """Trains a configuration; returns the objective and the metrics on the test images."""
    from kerasad import evaluate
    from kerasad.training.building import calibrates_crosswise, make_detector, open_category
    from kerasad.training.config import RunConfig
    from kerasad.training.settings import merge
    from kerasad.tuning import synthetic_localization

    config = RunConfig.from_mapping(
        merge(values, {"data": {"path": arguments.data}, "training": {"seed": seed}})
    )
    print(f"--- seed {seed}: {config.model.arguments or 'defaults'}", flush=True)
    crosswise = calibrates_crosswise(config)
    category = open_category(config, crosswise=False)  # as in the search
    model, networks = train(config, category)
    value = synthetic_localization(
        model,
        category.train_for_experts,
        category.validation,
        image_size=category.full_shape[:2],
        overlap=config.data.overlap,
        keep_aspect=category.keep_aspect,
        on_crops=category.split.calibration_on_crops,
        crosswise=crosswise,
        num_defects=config.training.synthetic_defects,
        seed=seed,
    )
    if crosswise:  # `train` sets no images apart
        category = open_category(config)
        model, networks = train(config, category)
    detector, _ = make_detector(model, category, config, 0, networks)
    metrics = evaluate(detector, category.test, records=category.index.test, verbose=0)
    return {"synthetic_localization": value, **{name: metrics[name] for name in METRICS}}


def train(config, category):
    """Returns a trained model, and the networks of each fold or None."""
    import keras

    from kerasad.training.building import build_model, compile_model
    from kerasad.training.fitting import fit
    from kerasad.training.recipes import resolve_training

    settings = resolve_training(config.model, config.training)
    keras.utils.set_random_seed(settings.seed)
    model = build_model(config.model, category.image_shape, settings.seed)
    compile_model(model, settings, settings.epochs * category.steps_per_epoch)
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder) / "h.csv"
        return model, fit(model, category, settings.epochs, settings.seed, history, verbose=0)


def print_tables(rows, shared, search, seeds):
    killed = search["killed_with_trials"]
    how = "Not killed" if killed is None else f"Killed with {killed} trials done, then continued"
    print(f"{how}: {len(search['rows'])} trials in {search['minutes']} minutes.")
    lines = [
        [row["trial"], row["status"], row["synthetic_localization"], row["seconds"], row["reason"]]
        for row in search["rows"]
    ]
    print(markdown_table(["trial", "status", "synthetic localization", "s", "reason"], lines))
    names = ("synthetic_localization", *METRICS)
    lines = []
    if len(different(search)) == 1:
        print("\nThe default configuration, which is the first trial, was the best.")
    for name in different(search):
        key = {**shared, "kind": "configuration", "name": name}
        found = [find_row(rows, {**key, "seed": seed}) for seed in seeds]
        lines += [
            [name, seed, *(r[n] for n in names)] for seed, r in zip(seeds, found, strict=True)
        ]
        means = [sum(row[n] for row in found) / len(found) for n in names]
        lines.append([name, "mean", *means])
    print("\n" + markdown_table(["configuration", "seed", *names], lines))


if __name__ == "__main__":
    main()
