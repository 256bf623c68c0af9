"""Trains, calibrates and measures a detector in plain Keras: copy this and change it.

    python scripts/train_mvtec.py mvtec/bottle --output bottle --image-size 128 --epochs 60

`kerasad train` does the same and keeps more: the split, the curves, the settings.
"""

import argparse
from pathlib import Path

import keras

import kerasad
from kerasad.metrics.table import format_metrics_table
from kerasad.training.building import fit_detector
from kerasad.training.callbacks import CollapseNotice, SyntheticLocalization
from kerasad.training.config import TrainingConfig


def parse_arguments(argv=None):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="a category in MVTec layout, or a folder of good images")
    parser.add_argument("--output", required=True, help="folder for the two .keras files")
    parser.add_argument("--image-size", default="128", help="256, or height and width: 256x640")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--defects", type=int, default=128, help="synthetic ones that set weights")
    return parser.parse_args(argv)


def main(argv=None):
    """Runs the whole recipe."""
    arguments = parse_arguments(argv)
    keras.utils.set_random_seed(arguments.seed)
    data = kerasad.data.load_category(
        arguments.data, arguments.image_size, arguments.batch_size, seed=arguments.seed
    )
    print(data.split_table())

    model = kerasad.VAEGAN(
        image_shape=data.image_shape, latent="conv", adacos="pretext", seed=arguments.seed
    )
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    )
    # `val_*` and `synthetic_iou` use good images only: no real defect is looked at in training.
    model.fit(
        data.train,
        validation_data=data.validation,
        epochs=arguments.epochs,
        callbacks=[SyntheticLocalization(data.validation), CollapseNotice()],
        shuffle=False,  # `data.train` shuffles by itself
    )

    # `AnomalyDetector`, then its `adapt` and `calibrate`, on the parts of the data for each.
    settings = TrainingConfig(seed=arguments.seed, synthetic_defects=arguments.defects)
    detector, _ = fit_detector(model, data, settings)

    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    model.save(output / "model.keras")
    detector.save(output / "detector.keras")
    if data.index.test:
        metrics = kerasad.evaluate(detector, data.test, records=data.index.test)
        print(format_metrics_table(metrics))


if __name__ == "__main__":
    main()
