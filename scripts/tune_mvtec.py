"""Searches for a better VAE-GAN in plain KerasTuner, then trains it: copy this and change it.

    python scripts/tune_mvtec.py mvtec/bottle --output search --image-size 64 --trials 10

`kerasad tune` does the same and more: it writes a table of trials, can be killed at any moment,
keeps no weights, and its best configuration is a file for `kerasad train --config`.
"""

import argparse
from pathlib import Path

import keras
import keras_tuner

import kerasad
from kerasad.metrics.table import format_metrics_table
from kerasad.training.building import fit_detector
from kerasad.training.callbacks import CollapseNotice
from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.tuning import OBJECTIVE, DetectorHyperModel


def parse_arguments(argv=None):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a category in MVTec layout, or a folder of good images")
    parser.add_argument("--output", required=True, help="folder of the search and the detector")
    parser.add_argument("--image-size", default="64", help="256, or height and width: 256x640")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=40, help="of each trial")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--filters", type=int, default=32, help="kept in all trials")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--defects", type=int, default=128, help="synthetic ones that set weights")
    return parser.parse_args(argv)


def main(argv=None):
    """Runs the whole recipe."""
    arguments = parse_arguments(argv)
    data = kerasad.data.load_category(
        arguments.data, arguments.image_size, arguments.batch_size, seed=arguments.seed
    )
    print(data.split_table())

    settings = TrainingConfig(
        epochs=arguments.epochs, seed=arguments.seed, synthetic_defects=arguments.defects
    )
    hypermodel = DetectorHyperModel(
        data, ModelConfig("vae_gan", {"filters": arguments.filters}), settings
    )
    # The objective is how well the detector finds synthetic defects, which no training sees, on
    # validation images. Test images are not looked at.
    tuner = keras_tuner.RandomSearch(
        hypermodel,
        objective=OBJECTIVE,
        max_trials=arguments.trials,
        max_consecutive_failed_trials=arguments.trials + 1,  # a failed trial ends nothing
        seed=arguments.seed + 1,  # KerasTuner takes 0 for no seed
        directory=arguments.output,
        project_name="tuner",
    )
    tuner.search(verbose=2)
    tuner.results_summary(num_trials=3)
    if not any(trial.score is not None for trial in tuner.oracle.trials.values()):
        raise SystemExit("No trial was completed.")  # KerasTuner would answer with a failed one

    best = tuner.get_best_hyperparameters()[0]
    keras.utils.set_random_seed(arguments.seed)
    model = hypermodel.build(best)
    model.fit(
        data.train,
        validation_data=data.validation_crops,
        epochs=arguments.epochs,
        callbacks=[CollapseNotice()],
        shuffle=False,  # `data.train` shuffles by itself
    )
    detector, _ = fit_detector(model, data, settings)
    detector.save(Path(arguments.output) / "detector.keras")
    if data.index.test:
        metrics = kerasad.evaluate(detector, data.test, records=data.index.test)
        print(format_metrics_table(metrics))


if __name__ == "__main__":
    main()
