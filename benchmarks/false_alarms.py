"""Promised against observed false alarms, refitted on random parts of a category's good images.

    python benchmarks/false_alarms.py mvtec/bottle mvtec/grid --splits 40
    python benchmarks/false_alarms.py ksdd --image-size 320x128 --folds 5,10

Each split takes a quarter of the good images, by groups, as photos of new scenes. The rest fits and
calibrates `feature_statistics`, crosswise or in parts of 70 / 10 / 20, with the groups of
near-copies that were found or each photo on its own. A new scene counts once: what counts is the
share of its photos that are called defective, and of those that have a pixel above the pixel
threshold. No test image is looked at.

The backbone sees each image once (`cached_model.py`). Experts, scales and thresholds are refitted
by the package's own code. In parts, experts have the weights that they have before synthetic
defects are looked at, which takes the most time of such a fit and no part in the promise.

Rows are appended to the output file; rows that it already holds are not measured again.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from results import append_row, find_row, markdown_table, read_rows

NEW_SHARE = 0.25
NUMBERS = ("promised", "false_alarms", "marked", "new_scenes")
HEADER = ("data", "calibration", "groups", "splits", "promised", "observed", "a split", "marked")


def main():
    arguments = parse_arguments()
    modes = ["crosswise", "split"]
    if arguments.folds:
        modes = [f"crosswise, {folds} folds" for folds in arguments.folds.split(",")]
    for data in arguments.data:
        key = {"data": data, "image_size": arguments.image_size, "rate": arguments.rate}
        wanted = [
            {**key, "mode": mode, "grouped": grouped, "seed": seed}
            for seed in range(arguments.splits)
            for mode in modes
            for grouped in (True, False)
        ]
        missing = [row for row in wanted if find_row(read_rows(arguments.output), row) is None]
        if missing:
            detector, groups = read_images(data, arguments.image_size)
            for row in missing:
                row = append_row(arguments.output, {**row, **measure(detector, groups, row)})
                print(row, flush=True)
    print(markdown_table(HEADER, list(table_rows(read_rows(arguments.output)))))


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="categories, below shared/data or as paths")
    parser.add_argument("--image-size", default="128")
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--folds", help="numbers of folds to compare, such as 5,10")
    parser.add_argument("--output", default="false_alarms.jsonl", help="JSON lines to append to")
    return parser.parse_args()


def read_images(data, image_size):
    """Returns a detector of a `CachedModel` of all good images, and the group of each of them."""
    from cached_model import open_cached_detector

    from kerasad.data.split import number_groups

    detector, category = open_cached_detector(data, image_size)
    return detector, number_groups(category.split.train)


def measure(detector, groups, row):
    """Returns the promised rate, and how many of the photos of new scenes are above it."""
    generator = np.random.default_rng(row["seed"])
    order = generator.permutation(np.unique(groups))
    new_groups, rest = np.split(order, [round(NEW_SHARE * len(order))])
    own = groups if row["grouped"] else np.arange(len(groups))
    if row["mode"] == "split":
        fit_parts(detector, groups, own, rest, generator, row)
    else:
        used = np.flatnonzero(np.isin(groups, rest))
        detector.adapt_crosswise(
            detector.model.images_of(used),
            own[used],
            folds=int(row["mode"].split()[1]) if "folds" in row["mode"] else None,
            false_alarm_rate=row["rate"],
            batch_size=16,
            verbose=0,
        )
    new = np.flatnonzero(np.isin(groups, new_groups))
    outputs = detector.predict(detector.model.images_of(new), batch_size=16, verbose=0)
    marked = outputs["anomaly_map"].max(axis=(1, 2, 3)) > detector.pixel_threshold
    found = np.stack([outputs["is_anomalous"], marked], axis=-1)
    shares = np.stack([found[groups[new] == group].mean(axis=0) for group in new_groups])
    summary = detector.calibration_summary()
    promised = summary["false_alarm_rate"]["expected"]
    numbers = (promised, *shares.sum(axis=0), len(new_groups))
    return {
        **dict(zip(NUMBERS, map(float, numbers), strict=True)),
        "threshold": detector.threshold,
        "calibrating": summary["num_groups"],
        "scores": outputs["anomaly_score"].tolist(),
    }


def fit_parts(detector, groups, own, rest, generator, row):
    """Fits and calibrates on parts of 70 / 10 / 20: of groups, or of photos that know none."""
    from kerasad.detector.batches import as_batches
    from kerasad.detector.fusion import prior_weights

    units = rest if row["grouped"] else np.flatnonzero(np.isin(groups, rest))
    units = generator.permutation(units)
    bounds = [round(0.7 * len(units)), round(0.8 * len(units))]
    parts = [np.flatnonzero(np.isin(own, part)) for part in np.split(units, bounds)]
    train, validation, calibration = (
        as_batches(detector.model.images_of(part), "images", 16) for part in parts
    )
    detector.expert_maps.fit(train)
    detector.map_calibration.measure(detector.iterate_maps(validation))
    weights, score_weights = prior_weights([expert.degrees for expert in detector.experts])
    detector.fusion_weights.assign(weights.astype("float32"))
    detector.score_weights.assign(score_weights.astype("float32"))
    detector.calibrate(calibration, row["rate"], groups=own[parts[2]], verbose=0)


def table_rows(rows):
    """Yields a row for each way of calibration: rates over all its splits."""

    def kind_of(row):
        return (row["data"], row["mode"], not row["grouped"])

    for kind in sorted({kind_of(row) for row in rows}):
        own = [row for row in rows if kind_of(row) == kind]
        values = {name: np.array([row[name] for row in own]) for name in NUMBERS}
        rates, marked = (values[name] / values["new_scenes"] for name in ("false_alarms", "marked"))
        yield (
            kind[0],
            kind[1],
            "each photo" if kind[2] else "as found",
            len(own),
            f"{values['promised'].mean():.1%}",
            f"{rates.mean():.1%} +- {rates.std() / np.sqrt(len(rates)):.1%}",
            f"{rates.min():.0%} to {rates.max():.0%}",
            f"{marked.mean():.1%}",
        )


if __name__ == "__main__":
    main()
