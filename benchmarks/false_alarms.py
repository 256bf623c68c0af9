"""Promised against observed false alarms, refitted on random parts of a category's good images.

    python benchmarks/false_alarms.py mvtec/bottle mvtec/grid --splits 40

Each split takes a quarter of the good images, by groups, as photos of new scenes: one photo of each
group is asked. The rest fits and calibrates `feature_statistics`, crosswise or in parts of 70 / 10
/ 20, with the groups of near-copies that were found or each photo on its own. No test image is
looked at. Rows are appended to the output file; rows that it already holds are not measured again.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from results import append_row, find_row, markdown_table, read_rows

MODES = ("crosswise", "split")
NEW_SHARE = 0.25
HEADER = ("data", "calibration", "groups", "splits", "promised", "observed", "lowest to highest")


def main():
    arguments = parse_arguments()
    for data in arguments.data:
        key = {"data": data, "image_size": arguments.image_size, "rate": arguments.rate}
        wanted = [
            {**key, "mode": mode, "grouped": grouped, "seed": seed}
            for seed in range(arguments.splits)
            for mode in MODES
            for grouped in (True, False)
        ]
        missing = [row for row in wanted if find_row(read_rows(arguments.output), row) is None]
        if missing:
            images, groups = read_images(data, arguments.image_size)
            for row in missing:
                found = measure(images, groups, row)
                append_row(arguments.output, {**row, **found})
                print({**row, **found}, flush=True)
    print(markdown_table(HEADER, list(table_rows(read_rows(arguments.output)))))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="categories, below shared/data or as paths")
    parser.add_argument("--image-size", default="128")
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--output", default="false_alarms.jsonl", help="JSON lines to append to")
    return parser.parse_args()


def read_images(data, image_size):
    """Returns all good images for training, and the number of each one's group."""
    from kerasad.data.split import number_groups
    from kerasad.training.building import open_category
    from kerasad.training.config import DataConfig

    category = open_category(DataConfig(path=data, image_size=image_size), 0, crosswise=True)
    inputs = list(category.train_in_order)
    if isinstance(inputs[0], dict):
        raise SystemExit(f"{data}: images of several shapes are not measured here.")
    return np.concatenate([np.asarray(x) for x in inputs]), number_groups(category.split.train)


def measure(images, groups, row):
    """Returns the promised rate, and the share of photos of new scenes that is above it."""
    generator = np.random.default_rng(row["seed"])
    order = generator.permutation(np.unique(groups))
    new_groups, rest = np.split(order, [round(NEW_SHARE * len(order))])
    new = np.array([np.flatnonzero(groups == group)[0] for group in new_groups])
    own = groups if row["grouped"] else np.arange(len(groups))
    if row["mode"] == "crosswise":
        detector, summary = fit_crosswise(images, own, np.flatnonzero(np.isin(groups, rest)), row)
    else:
        detector, summary = fit_parts(images, groups, own, rest, generator, row)
    scores = detector.predict(images[new], batch_size=16, verbose=0)
    return {
        "promised": summary["false_alarm_rate"]["expected"],
        "false_alarms": int(scores["is_anomalous"].sum()),
        "new_scenes": len(new),
    }


def fit_crosswise(images, own, used, row):
    detector = new_detector(images)
    detector.adapt_crosswise(
        images[used], own[used], false_alarm_rate=row["rate"], batch_size=16, verbose=0
    )
    return detector, detector.calibration_summary()


def fit_parts(images, groups, own, rest, generator, row):
    """Fits and calibrates on parts of 70 / 10 / 20: of groups, or of photos that know none."""
    units = rest if row["grouped"] else np.flatnonzero(np.isin(groups, rest))
    units = generator.permutation(units)
    bounds = [round(0.7 * len(units)), round(0.8 * len(units))]
    parts = [np.flatnonzero(np.isin(own, part)) for part in np.split(units, bounds)]
    detector = new_detector(images[parts[0]])
    detector.adapt(images[parts[0]], images[parts[1]], batch_size=16, verbose=0)
    return detector, detector.calibrate(
        images[parts[2]], row["rate"], groups=own[parts[2]], batch_size=16, verbose=0
    )


def new_detector(images):
    from kerasad import AnomalyDetector
    from kerasad.detector.experts import feature_statistics_experts
    from kerasad.models import FeatureExtractor

    model = FeatureExtractor(images.shape[1:])
    model.adapt(images)
    return AnomalyDetector(model, feature_statistics_experts, copy_model=False)


def table_rows(rows):
    """Yields a row for each way of calibration: rates over all its splits."""
    kinds = sorted({(row["data"], row["mode"], not row["grouped"]) for row in rows})
    for data, mode, alone in kinds:
        own = [
            row
            for row in rows
            if (row["data"], row["mode"], not row["grouped"]) == (data, mode, alone)
        ]
        rates = [row["false_alarms"] / row["new_scenes"] for row in own]
        promised = np.mean([row["promised"] for row in own])
        yield (
            data,
            mode,
            "each photo" if alone else "as found",
            len(own),
            f"{promised:.1%}",
            f"{np.mean(rates):.1%} +- {np.std(rates) / np.sqrt(len(rates)):.1%}",
            f"{min(rates):.0%} to {max(rates):.0%}",
        )


if __name__ == "__main__":
    main()
