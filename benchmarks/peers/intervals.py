"""Differences between models of a comparison with peers, with 95 % bootstrap intervals.

    python -m peers.intervals runs/peers --first feature_statistics --second padim patchcore

Reads what `peers.compare` left in its folder: the predictions of each model on the same test
images. The last rows are means over the categories. Run it in the folder `benchmarks`.
"""

import argparse
from pathlib import Path

import numpy as np
from bootstrap import METRICS, count_pixels, differences, interval, measure
from peers.exchange import EXCHANGE, MASKS, PREDICTIONS, VALID, read_json
from results import markdown_table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder of a comparison")
    parser.add_argument("--first", required=True, help="a model")
    parser.add_argument("--second", required=True, nargs="+", help="models to compare it with")
    parser.add_argument("--draws", type=int, default=1000)
    arguments = parser.parse_args()
    models = (arguments.first, *arguments.second)
    categories = sorted(path.parent for path in arguments.output.glob("work/*/exchange"))
    counts = {
        path.name: {model: read_counts(path, model) for model in models} for path in categories
    }
    print(markdown_table(["", *models], list(value_rows(counts, models))))
    print()
    header = ["", *(f"{arguments.first} - {model}" for model in arguments.second)]
    print(markdown_table(header, list(difference_rows(counts, arguments))))


def read_counts(folder, model):
    """Returns the `ImageCounts` of each seed of a model of one category."""
    exchange = folder / "exchange"
    description = read_json(exchange / EXCHANGE)
    masks = np.load(exchange / MASKS, mmap_mode="r")[..., 0] > 0.5
    weights = np.ones(masks.shape, bool)
    if description["padded"]:
        weights &= np.load(exchange / VALID)[..., 0] > 0.5
    weights &= np.array(description["has_mask"], bool)[:, None, None]
    labels = np.array([name != "good" for name in description["defects"]])
    found = []
    for path in sorted(folder.glob(f"*_{model}_*seed*/{PREDICTIONS}")):
        with np.load(path) as file:
            found.append(count_pixels(file["scores"], labels, file["maps"], masks, weights))
    if not found:
        raise SystemExit(f"{folder} has no predictions of {model}.")
    return found


def value_rows(counts, models):
    """Yields a row for each category, and the mean: the metrics of each model."""
    means = {
        name: [np.mean([measure(seed) for seed in own[model]], axis=0) for model in models]
        for name, own in counts.items()
    }
    for name, values in {**means, "mean": np.mean(list(means.values()), axis=0)}.items():
        yield (name, *(" / ".join(f"{v:.3f}" for v in value) for value in values))


def difference_rows(counts, arguments):
    """Yields a row for each category and metric, and for the mean over categories."""
    drawn = {
        name: [
            differences(own[arguments.first], own[model], arguments.draws, seed)
            for model in arguments.second
        ]
        for seed, (name, own) in enumerate(counts.items())
    }
    drawn["mean"] = np.mean(list(drawn.values()), axis=0)
    for name, values in drawn.items():
        for column, metric in enumerate(METRICS):
            yield (f"{name}, {metric}", *(in_words(value[:, column]) for value in values))


def in_words(values):
    low, high = interval(values[1:])
    return f"{values[0]:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
