"""How much of a training's wall time is spent outside the compiled step.

    python benchmarks/training_speed.py ../shared/data/mvtec/bottle --image-size 128

Alternates between the compiled training step on batches that are already there; `fit` with the data
pipeline and the callbacks that log and watch; and all that `kerasad train` does, validation and its
synthetic defects included. The same number of training steps each; the share outside the step is
`1 - step / fit`, with the median time of each over the rounds.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from jsonl import append_row, markdown_table


def main():
    arguments = parse_arguments()
    row = measure(arguments)
    append_row(arguments.output, row)
    print(markdown_table(list(row), [list(row.values())]))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="category in MVTec layout, or a folder of good images")
    parser.add_argument("--image-size", default="128")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2, help="epochs of `fit` a round")
    parser.add_argument("--output", default="training_speed.jsonl", help="JSON lines to append to")
    return parser.parse_args()


def measure(arguments):
    import tensorflow as tf

    from kerasad.callbacks import CollapseNotice, HistoryWriter, LossGuard
    from kerasad.config import DataConfig
    from kerasad.models import VAEGAN
    from kerasad.training import fit, open_category

    category = open_category(DataConfig(path=arguments.data, image_size=arguments.image_size), 0)
    model = VAEGAN(category.image_shape, seed=0)
    model.compile()
    # Equal batches on both sides: the last one of an epoch may be smaller.
    batches = list(category.train)
    step = tf.function(model.train_step, reduce_retracing=True)

    def run_steps():
        for _ in range(arguments.epochs):
            for batch in batches:
                step((batch,))
        return arguments.epochs * len(batches)

    def run_fit():
        with tempfile.TemporaryDirectory() as folder:
            fit(model, category, arguments.epochs, 0, Path(folder) / "history.csv", verbose=0)
        return arguments.epochs * len(batches)

    def run_logged():
        with tempfile.TemporaryDirectory() as folder:
            callbacks = [LossGuard(), CollapseNotice(), HistoryWriter(Path(folder) / "history.csv")]
            model.fit(
                category.train,
                epochs=arguments.epochs,
                callbacks=callbacks,
                verbose=2,
                shuffle=False,
            )
        return arguments.epochs * len(batches)

    times = {"step": [], "fit": [], "fit_with_validation": []}
    for index in range(arguments.rounds + 1):
        for name, run in (
            ("step", run_steps),
            ("fit", run_logged),
            ("fit_with_validation", run_fit),
        ):
            started = time.perf_counter()
            steps = run()
            if index:  # the first round compiles
                times[name].append((time.perf_counter() - started) / steps)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "data": Path(arguments.data).name,
        "image_size": arguments.image_size,
        "step_milliseconds": round(1000 * medians["step"], 1),
        "fit_milliseconds": round(1000 * medians["fit"], 1),
        "share_outside_step": round(1 - medians["step"] / medians["fit"], 4),
        "fit_with_validation_milliseconds": round(1000 * medians["fit_with_validation"], 1),
    }


if __name__ == "__main__":
    main()
