"""Whether thresholds keep the false-alarm rate that they guarantee.

    python benchmarks/conformal.py --output conformal.jsonl
    python benchmarks/conformal.py --run RUN --data ../shared/data/mvtec/bottle

Draws many random splits of scores of good images into calibration and test scores, sets the
threshold on the former and counts false alarms among the latter. Their mean rate should be at
most the guaranteed one, within the Monte Carlo error, and the rates should follow the distribution
that the guarantee is derived from. With `n` calibration scores and the `m`-th largest as threshold,
that is

- `Beta(m, n + 1 - m)` for scores from a continuous distribution, where the rate of a threshold
  is known exactly (tested by Kolmogorov and Smirnov);
- for a pool of `N` scores, the negative hypergeometric distribution: the false alarms are the test
  scores above the `m`-th largest calibration score (chi-square test).

Pools: synthetic ones, and the good calibration and test images of a run, or any file of scores
(`.npz` with `scores`, or a JSON list). Rows are appended to the output file; rows that it already
holds are not measured again.
"""

import argparse
import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
from results import append_row, find_row, markdown_table, read_rows
from scipy import stats

from kerasad.detector import conformal_rule

COUNTS = (20, 40, 99)
RATES = (0.01, 0.05, 0.1)
HEADER = ("scores", "n", "asked", "guaranteed", "mean rate", "+-", "p of the law", "in 95 %")


def main():
    arguments = parse_arguments()
    rows = []
    for source, pool in score_sources(arguments):
        for count in COUNTS:
            if pool is not None and len(pool) <= count:
                print(f"{source}: {len(pool)} scores are too few for n = {count}", file=sys.stderr)
                continue
            for rate in RATES:
                key = {"source": source, "count": count, "rate": rate}
                key |= {"splits": arguments.splits, "seed": arguments.seed, "digest": digest(pool)}
                row = find_row(read_rows(arguments.output), key)
                if row is None:
                    result = measure(pool, count, rate, arguments.splits, arguments.seed)
                    row = append_row(arguments.output, {**key, **result})
                rows.append(row)
    print(markdown_table(HEADER, [table_row(row) for row in rows]))
    sys.exit(0 if report(rows) else 1)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="conformal.jsonl", help="JSON lines to append to")
    parser.add_argument("--scores", type=Path, help="scores of good images: .npz or .json")
    parser.add_argument("--run", help="folder that `kerasad train` wrote; its scores join in")
    parser.add_argument("--data", help="its category, defaults to what it was trained on")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("conformal_scores.npz"),
        help="where the run's scores are kept; read if it exists",
    )
    parser.add_argument("--splits", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()  # fmt: skip


def digest(pool):
    """Returns a hash of a pool of scores."""
    return None if pool is None else hashlib.sha256(np.sort(pool).tobytes()).hexdigest()[:12]


def score_sources(arguments):
    """Yields names and pools of scores; None stands for a continuous distribution."""
    yield "normal distribution", None
    generator = np.random.default_rng(arguments.seed)
    yield "pool of 1000, heavy tails", generator.standard_t(3, size=1000)
    if arguments.scores:
        yield arguments.scores.stem, read_scores(arguments.scores)
    if arguments.run:
        pool = scores_of_run(arguments.run, arguments.data, arguments.cache)
        yield f"{Path(arguments.data or arguments.run).name}, {len(pool)} images", pool


def read_scores(path):
    if path.suffix == ".json":
        return np.asarray(json.loads(path.read_text(encoding="utf-8")), "float32").ravel()
    with np.load(path) as file:
        return np.asarray(file["scores"], "float32").ravel()


def scores_of_run(run, data, cache):
    """Returns the run's scores, from the cache if they are this detector's on this data."""
    detector = hashlib.sha256((Path(run) / "detector.keras").read_bytes()).hexdigest()
    source = f"{detector} {data}"
    if cache.exists():
        with np.load(cache) as file:
            if str(file["source"]) == source:
                return file["scores"]
    scores = score_good_images(run, data)
    np.savez(cache, scores=scores, source=source)
    return scores


def score_good_images(run, data):
    """Returns the scores of a run's calibration images and of the good test images."""
    from kerasad.runs.evaluate import open_test_data
    from kerasad.runs.run import open_run
    from kerasad.training.locations import with_data

    run = open_run(run)
    detector = run.load_detector()
    category = open_test_data(run, detector, with_data(run.config.data, data))
    return pool_scores(detector, category.test)


def pool_scores(detector, test):
    """Returns the scores that calibrated a detector, and those of the good test images."""
    scores = [detector.decision.stored_scores()]
    for outputs, _, targets in detector.predict_stream(test, 1, "test images"):
        scores.append(outputs["anomaly_score"][np.asarray(targets["label"]) == 0])
    return np.concatenate(scores)


def measure(pool, count, rate, splits, seed):
    """Returns the rates of false alarms over random splits, and how well they fit the law."""
    generator = np.random.default_rng([seed, count, round(1000 * rate)])
    if pool is None:
        rules = [conformal_rule(generator.normal(size=count), rate) for _ in range(splits)]
        rates = np.array([stats.norm.sf(rule.threshold) for rule in rules])
        rank = round(rules[0].guaranteed * (count + 1))
        law = stats.beta(rank, count + 1 - rank)
        deviation, p_value = law.std(), stats.kstest(rates, law.cdf).pvalue
    else:
        pool = np.asarray(pool, "float32")
        others = len(pool) - count
        rules, alarms = [], []
        for _ in range(splits):
            shuffled = generator.permutation(pool)
            rules.append(conformal_rule(shuffled[:count], rate))
            alarms.append(int(np.sum(shuffled[count:] > rules[-1].threshold)))
        rates = np.array(alarms) / others
        rank = round(rules[0].guaranteed * (count + 1))
        law = stats.nhypergeom(len(pool), others, rank)
        deviation, p_value = law.std() / others, chi_square(np.array(alarms), law, others)
    low, high = rules[0].interval_95
    inside = float(np.mean((rates >= low) & (rates <= high)))
    return {
        "pool": None if pool is None else len(pool),
        "ties": None if pool is None else len(pool) - len(np.unique(pool)),
        "guaranteed": rules[0].guaranteed,
        "mean_rate": float(rates.mean()),
        "standard_error": float(deviation / math.sqrt(splits)),
        "p_of_the_law": p_value,
        # The interval is one of true rates, not of counts among a few test scores.
        "in_interval_95": inside if pool is None else None,
    }


def chi_square(alarms, law, others):
    """Returns the p-value of counts under a discrete law; values are joined to 5 expected each."""
    expected = len(alarms) * law.pmf(np.arange(others + 1))
    edges, total = [0], 0.0
    for value, share in enumerate(expected):
        total += share
        if total >= 5.0 and expected[value + 1 :].sum() >= 5.0:
            edges.append(value + 1)
            total = 0.0
    if len(edges) < 2:
        return None
    wanted = np.add.reduceat(expected, edges)
    observed = np.add.reduceat(np.bincount(alarms, minlength=others + 1), edges)
    return float(stats.chisquare(observed, wanted * observed.sum() / wanted.sum()).pvalue)


def table_row(row):
    names = ("guaranteed", "mean_rate", "standard_error", "p_of_the_law", "in_interval_95")
    numbers = [None if row[name] is None else f"{row[name]:.4f}" for name in names]
    return (row["source"], row["count"], row["rate"], *numbers)


def report(rows):
    """Prints the verdict over all rows; returns whether the guarantee held."""
    excess = max((row["mean_rate"] - row["guaranteed"]) / row["standard_error"] for row in rows)
    p_values = [row["p_of_the_law"] for row in rows if row["p_of_the_law"] is not None]
    # The smallest of k p-values is below .01 / k in one of a hundred benchmarks.
    limit = 0.01 / len(p_values)
    print(
        f"\nLargest excess over the guaranteed rate: {excess:.2f} standard errors. Smallest of "
        f"{len(p_values)} p-values: {min(p_values):.4f} (a fault would be one below {limit:.5f})."
    )
    return excess < 4.0 and min(p_values) >= limit


if __name__ == "__main__":
    main()
