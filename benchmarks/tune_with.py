"""What 8 real defects change: `--tune-with` against none, on the same remaining test images.

    python benchmarks/tune_with.py DATA... [--image-size HxW] [--seeds 3] [--defects 8]

For each DATA and seed, defective test images are drawn, spread over the kinds of defects. The
default detector is fitted crosswise without and with them. Prints, for the remaining test images,
image AUROC, pixel AUROC and AUPRO without, the difference with its 95 % interval (paired bootstrap
of the test images), which weights have changed, and the review band: its rate, and which share of
the remaining good images and of the defects below the threshold it holds.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from pathlib import Path

import numpy as np
from bootstrap import count_pixels, differences, interval, measure
from cached_model import open_cached_detector

HEADER = (
    *("data", "seed", "weights changed", "without: image AUROC / pixel AUROC / AUPRO"),
    *("difference, 95 % interval: image AUROC", "pixel AUROC", "AUPRO"),
    *("review rate", "good in the band", "missed in the band"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", metavar="DATA")
    parser.add_argument("--image-size", default="256")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--defects", type=int, default=8)
    parser.add_argument("--draws", type=int, default=500)
    arguments = parser.parse_args()
    print("|", " | ".join(HEADER), "|")
    print("|" + "---|" * len(HEADER), flush=True)
    for data in arguments.data:
        measure_data(data, arguments)


def measure_data(data, arguments):
    """Prints a row for each seed."""
    detector, records, groups, targets = open_detector(data, arguments.image_size)
    train = np.arange(len(groups))
    test = np.arange(len(groups), len(groups) + len(records))
    labels = np.array([record.label for record in records], bool)
    images = detector.model.images_of
    detector.adapt_crosswise(images(train), groups, verbose=0)
    without = score(detector, test)
    for seed in range(arguments.seeds):
        chosen = draw_defects(records, arguments.defects, seed)
        rest = np.setdiff1d(np.arange(len(records)), chosen)
        defects = images(test[chosen]), targets["mask"][chosen]
        detector.adapt_crosswise(images(train), groups, defects=defects, verbose=0)
        found = score(detector, test)
        counts = [
            count_pixels(scores[rest], labels[rest], maps[rest], targets["mask"][rest, ..., 0] > 0)
            for scores, maps in (found, without)
        ]
        drawn = differences(counts[:1], counts[1:], arguments.draws)
        summary = detector.calibration_summary()
        tuning = summary["real_defects"]
        changed = [name for name in ("map", "score") if tuning[f"{name}_weights"]]
        cells = [Path(data).name, str(seed), " and ".join(changed) or "none"]
        cells.append(" / ".join(f"{value:.3f}" for value in measure(counts[1])))
        for column in drawn.T:
            low, high = interval(column[1:])
            cells.append(f"{column[0]:+.3f} ({low:+.3f} to {high:+.3f})" if changed else "0")
        cells += describe_band(detector, summary, found[0][rest], labels[rest])
        print("|", " | ".join(cells), "|", flush=True)
        print(
            "   ",
            {
                k: (round(v["weight"], 3), round(v["score_weight"], 3))
                for k, v in summary["experts"].items()
            },
            flush=True,
        )


def describe_band(detector, summary, scores, labels):
    """Returns the rate of the review band, and what of good and missed images is in it."""
    if summary["review_rate"] is None:
        missed = int((scores[labels] <= detector.threshold).sum())
        return ["no band", "-", f"0 of {missed}"]
    inside = (scores > detector.review_threshold) & (scores <= detector.threshold)
    missed = int((scores[labels] <= detector.threshold).sum())
    return [
        f"{summary['review_rate']['requested']:.3f}",
        f"{int(inside[~labels].sum())} of {int((~labels).sum())}",
        f"{int(inside[labels].sum())} of {missed}",
    ]


def open_detector(data, image_size):
    """Returns a detector of cached features, the test records, the groups, and masks and labels."""
    from kerasad.data.split import number_groups

    detector, category = open_cached_detector(data, image_size, with_test=True)
    masks = np.concatenate([np.asarray(targets["mask"]) for _, targets in category.test])
    return detector, category.index.test, number_groups(category.split.train), {"mask": masks}


def draw_defects(records, number, seed):
    """Returns the places of defective records, spread over their kinds."""
    generator = np.random.default_rng(seed)
    kinds = {}
    for place, record in enumerate(records):
        if record.label:
            kinds.setdefault(record.defect, []).append(place)
    queues = [list(generator.permutation(places)) for places in kinds.values()]
    queues = [queues[place] for place in generator.permutation(len(queues))]
    turns = [queue[turn] for turn in range(len(records)) for queue in queues if turn < len(queue)]
    return np.sort(turns[:number])


def score(detector, numbers):
    """Returns scores and maps of images."""
    found = [
        detector.score_on_batch(detector.model.images_of(numbers[start : start + 16]))
        for start in range(0, len(numbers), 16)
    ]
    scores = np.concatenate([outputs["anomaly_score"] for outputs in found])
    return scores, np.concatenate([outputs["anomaly_map"] for outputs in found])[..., 0]


if __name__ == "__main__":
    main()
