"""Time of a prediction and of the bare backbone's forward pass, alternating in one process.

    python benchmarks/prediction_speed.py runs/bottle --output prediction_speed.jsonl

A prediction goes from decoded images of the detector's size to map, score and decision, as arrays.
Each turn times the backbone, cut behind its last tap and folded as in a model, and then the
detector of every run. A row has the medians over the turns in milliseconds per image, and the ratio
to the backbone.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from peers.exchange import time_calls
from results import append_row, markdown_table

OUTPUTS = ("anomaly_map", "anomaly_score", "is_anomalous", "p_value")
COLUMNS = ("run", "batch", "backbone_ms", "milliseconds", "ratio", "megabytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs on a backbone")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--repeats", type=int, default=200, help="calls of each, in turns")
    parser.add_argument("--output", default="prediction_speed.jsonl", help="JSON lines to append")
    arguments = parser.parse_args()
    detectors = {run: load(run) for run in arguments.runs}
    rows = [
        append_row(arguments.output, row)
        for batch in arguments.batches
        for row in measure(detectors, batch, arguments.repeats)
    ]
    print(markdown_table(COLUMNS, [[row[name] for name in COLUMNS] for row in rows]))


def load(run):
    from kerasad.runs.run import open_run

    return open_run(run).load_detector()


def measure(detectors, batch, repeats):
    """Returns one row for each run; the backbone is that of the first."""
    from kerasad.tracing import compiled

    first, *others = detectors.values()
    for detector in detectors.values():
        if detector.frame.cell_grid is None:
            raise SystemExit("The runs must be of a model on a backbone, without tiles.")
    if any(other.image_size != first.image_size for other in others):
        raise SystemExit("The runs must have images of one size.")
    images = np.random.default_rng(0).random((batch, *first.image_size, 3), "float32")
    functions = {"backbone": compiled(backbone_of(first))}
    functions |= {run: compiled(outputs_of(detector)) for run, detector in detectors.items()}
    calls = {name: as_arrays(function) for name, function in functions.items()}
    times = time_calls(calls, images, {batch: repeats})
    medians = {name: values[str(batch)] for name, values in times.items()}
    return [
        {
            "run": run.name,
            "batch": batch,
            "backbone_ms": round(medians["backbone"], 2),
            "milliseconds": round(medians[run], 2),
            "ratio": round(medians[run] / medians["backbone"], 3),
            "megabytes": round((run / "detector.keras").stat().st_size / 2**20, 1),
        }
        for run in detectors
    ]


def as_arrays(function):
    return lambda batch: [value.numpy() for value in function(tf.constant(batch)).values()]


def backbone_of(detector):
    backbone = detector.model.view.backbone
    return lambda images: backbone(images, training=False)


def outputs_of(detector):
    def call(images):
        outputs = detector(images, training=False)
        return {name: outputs[name] for name in OUTPUTS}

    return call


if __name__ == "__main__":
    main()
