"""Train and evaluate as a user would, over several seeds, by the command line.

    python benchmarks/main_job.py ../shared/data/mvtec/bottle --output main_job.jsonl -- \
        --model vae_gan --image-size 128

Everything after `--` goes to `kerasad train`. One row a seed is appended to the output file; rows
that it already holds are not measured again. The table gives mean and range over the seeds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import append_row, find_row, markdown_table, read_rows

METRICS = ("image_auroc", "pixel_auroc", "aupro", "iou_oracle", "iou_pooled", "iou_per_image")
OTHERS = ("balanced_accuracy", "image_f1_max", "pixel_f1_max", "milliseconds_per_image")


def main():
    arguments, options = parse_arguments()
    rows = []
    for seed in arguments.seeds:
        key = {"data": Path(arguments.data).name, "options": options, "seed": seed}
        row = find_row(read_rows(arguments.output), key)
        rows.append(
            row or append_row(arguments.output, {**key, **measure(arguments, options, seed)})
        )
    names = (*METRICS, "balanced_accuracy", "observed_false_alarms", "train_minutes", "all_minutes")
    print(
        markdown_table(["", *names], [summary(rows, names, title) for title in ("mean", "range")])
    )


def parse_arguments():
    own = sys.argv[1:]
    options = []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="category in MVTec layout")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", default="main_job.jsonl", help="JSON lines to append to")
    parser.add_argument("--keep", help="folder that keeps the runs; else they are deleted")
    return parser.parse_args(own), options


def measure(arguments, options, seed):
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(arguments.keep or temporary) / f"{Path(arguments.data).name}_seed{seed}"
        started = time.perf_counter()
        kerasad("train", arguments.data, "--output", run, "--seed", seed, *options)
        trained = time.perf_counter()
        kerasad("evaluate", run)
        finished = time.perf_counter()
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    row = {name: metrics[name] for name in (*METRICS, *OTHERS)}
    row["observed_false_alarms"] = metrics["false_alarm_rate"]["observed"]
    row["train_minutes"] = round((trained - started) / 60, 2)
    row["all_minutes"] = round((finished - started) / 60, 2)
    row["peak_memory_mb"] = metrics["peak_memory_mb"]
    return row


def kerasad(*words):
    command = [sys.executable, "-c", "from kerasad.cli import main; main()", *map(str, words)]
    subprocess.run(command, check=True)


def summary(rows, names, title):
    cells = [f"{title} of {len(rows)}"]
    for name in names:
        values = [row[name] for row in rows if row[name] is not None]
        if not values:
            cells.append(None)
        elif title == "mean":
            cells.append(sum(values) / len(values))
        else:
            cells.append(f"{min(values):.3f} to {max(values):.3f}")
    return cells


if __name__ == "__main__":
    main()
