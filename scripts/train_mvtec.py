"""Trains, calibrates and measures a detector in plain Keras: copy this and change it.

    python scripts/train_mvtec.py mvtec/bottle --output bottle --image-size 128 --epochs 60

`kerasad train` does the same and keeps more: the split, the curves, the settings.
"""

import argparse
from pathlib import Path

import keras

import kerasad
from kerasad.metrics.table import format_metrics_table
from kerasad.training.callbacks import CollapseNotice, SyntheticLocalization


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

    detector = kerasad.AnomalyDetector(
        model, image_size=data.full_shape[:2], keep_aspect=data.keep_aspect
    )
    on_crops = data.split.calibration_on_crops  # True if there are fewer than 5 good images
    detector.adapt(
        data.train_for_experts,
        data.validation,
        on_crops=on_crops,
        seed=arguments.seed,
        num_defects=arguments.defects,
    )
    detector.calibrate(data.calibration, false_alarm_rate=0.05, on_crops=on_crops)

    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    model.save(output / "model.keras")
    detector.save(output / "detector.keras")
    if data.index.test:
        metrics = kerasad.evaluate(detector, data.test, records=data.index.test)
        print(format_metrics_table(metrics))


if __name__ == "__main__":
    main()
