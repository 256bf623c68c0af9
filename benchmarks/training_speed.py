"""Share of a training's wall time that is spent outside the compiled step.

    python benchmarks/training_speed.py ../shared/data/mvtec/bottle --image-size 128

Alternates between the compiled training step on batches in memory; `fit` with the data pipeline and
the callbacks; and the epochs of `kerasad train`, with validation and curves on synthetic defects.
All make the same number of training steps. The share outside the step is `1 - step / fit`, of the
median times over the rounds.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from results import append_row, markdown_table


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

    from kerasad.models import VAEGAN
    from kerasad.training.building import open_category
    from kerasad.training.callbacks import CollapseNotice, HistoryWriter, read_history
    from kerasad.training.config import DataConfig, ModelConfig, RunConfig
    from kerasad.training.fitting import fit

    data = DataConfig(path=arguments.data, image_size=arguments.image_size)
    category = open_category(RunConfig(data, ModelConfig("vae_gan")))
    model = VAEGAN(category.image_shape, seed=0)
    model.compile()
    # Equal batches on both sides: the last one of an epoch may be smaller.
    batches = list(category.train)
    step = tf.function(model.train_step, reduce_retracing=True)

    def run_steps(history):
        started = time.perf_counter()
        for _ in range(arguments.epochs):
            for batch in batches:
                step((batch,))
        return time.perf_counter() - started

    def run_logged(history):
        callbacks = [CollapseNotice(), HistoryWriter(history)]
        started = time.perf_counter()
        model.fit(
            category.train, epochs=arguments.epochs, callbacks=callbacks, verbose=2, shuffle=False
        )
        return time.perf_counter() - started

    def run_epochs(history):
        fit(model, category, arguments.epochs, 0, history, verbose=0)
        return sum(read_history(history)["seconds"])  # drawing the defects, once, is not in it

    runs = {"step": run_steps, "fit": run_logged, "fit_with_validation": run_epochs}
    times = {name: [] for name in runs}
    with tempfile.TemporaryDirectory() as folder:
        for index in range(arguments.rounds + 1):
            for name, run in runs.items():
                seconds = run(Path(folder) / "history.csv")
                if index:  # the first round compiles
                    times[name].append(seconds / (arguments.epochs * len(batches)))
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
