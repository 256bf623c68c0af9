"""What the threshold promises, what was observed, and whether the two agree, in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasad.metrics.intervals import Interval, clopper_pearson
from kerasad.metrics.table import format_interval, format_percent
from kerasad.report.collect import ScoredImage

UNLIKELY = 0.025
"""Observed false alarms that are less probable than this disagree with the promise."""


@dataclass(frozen=True)
class Counts:
    """How many images were called what.

    Args:
        good: int. Good images.
        false_alarms: int. Those called defective.
        good_to_review: int. Those to be reviewed.
        defective: int. Defective images.
        found: int. Those called defective.
        defective_to_review: int. Those to be reviewed.
    """

    good: int
    false_alarms: int
    good_to_review: int
    defective: int
    found: int
    defective_to_review: int

    @classmethod
    def of(cls, images: Sequence[ScoredImage]) -> "Counts":
        """Counts images."""
        numbers = []
        for label in (0, 1):
            own = [image for image in images if image.label == label]
            numbers += [
                len(own),
                sum(image.is_anomalous for image in own),
                sum(image.needs_review for image in own),
            ]
        return cls(*numbers)

    @property
    def misses(self) -> int:
        """Defective images called good."""
        return self.defective - self.found - self.defective_to_review

    @property
    def false_alarm_interval(self) -> Interval | None:
        """The 95 % interval of the false-alarm rate, from the good images alone."""
        return clopper_pearson(self.false_alarms, self.good)

    @property
    def miss_interval(self) -> Interval | None:
        """The 95 % interval of the share of defective images that are missed."""
        return clopper_pearson(self.misses, self.defective)


def describe_counts(counts: Counts) -> str:
    """Returns the verdict over all images in one or two sentences."""
    sentences = []
    if counts.defective:
        found = f"{counts.found} of {counts.defective} defective images were found"
        if counts.found == counts.defective:
            found = f"All {counts.defective} defective images were found"
        if counts.misses:
            found += f", {counts.misses} {'was' if counts.misses == 1 else 'were'} missed"
        sentences.append(f"{found}.")
    if counts.good:
        alarms = f"{counts.false_alarms} of {counts.good} good images"
        verb = "raises" if counts.false_alarms == 1 else "raise"
        if not counts.false_alarms:
            alarms = f"None of {counts.good} good images"
            verb = "raises"
        sentences.append(f"{alarms} {verb} a false alarm.")
    review = counts.good_to_review + counts.defective_to_review
    if review:
        sentences.append(f"{review} {'is' if review == 1 else 'are'} to be reviewed.")
    return " ".join(sentences)


def describe_promise(rate: Mapping[str, Any]) -> str:
    """Returns what a calibration says of the false-alarm rate, in a sentence for everyone.

    Args:
        rate: `false_alarm_rate` of a calibration's summary.
    """
    if rate.get("expected") is None:
        return "The threshold promises no false-alarm rate."
    expected, interval = format_percent(rate["expected"]), format_interval(rate)
    if rate.get("guaranteed") is None:
        return (
            f"Of good parts like the calibration photos, about {expected} are expected to raise a "
            f"false alarm (95 % interval {interval}). This is an expectation, not a guarantee."
        )
    return (
        f"Of good parts like the calibration photos, at most {expected} raise a false alarm, on "
        f"average over calibrations; for this one, 95 % interval {interval}."
    )


def compare_with_promise(
    counts: Counts, rate: Mapping[str, Any], num_scores: int
) -> tuple[str, bool] | None:
    """Returns a sentence on promise and observation, and whether they agree; None without both.

    With `n` calibration scores and rank `m`, the number of false alarms among `N` further good
    images follows the beta-binomial distribution of `N`, `m` and `n + 1 - m`.

    Args:
        counts: Counts of test images.
        rate: `false_alarm_rate` of a calibration's summary.
        num_scores: int. Calibration scores.
    """
    from scipy.stats import betabinom

    interval = counts.false_alarm_interval
    if interval is None or rate.get("expected") is None:
        return None
    rank = round(rate["expected"] * (num_scores + 1))
    law = betabinom(counts.good, rank, num_scores + 1 - rank)
    share = format_percent(counts.false_alarms / counts.good)
    observed = (
        f"Observed on the test images: {share}, which alone says {100 * interval.low:.1f} to "
        f"{100 * interval.high:.1f} % (95 % interval)."
    )
    at_least, at_most = law.sf(counts.false_alarms - 1), law.cdf(counts.false_alarms)
    if at_least < UNLIKELY:
        text = (
            f"{observed} That is more than expected (so many have a probability of "
            f"{_probability(at_least)}): the good test images differ from the calibration photos, "
            "so calibrate with photos like them."
        )
        return text, False
    if at_most < UNLIKELY:
        text = (
            f"{observed} That is less than expected (so few have a probability of "
            f"{_probability(at_most)}): the good test images are easier than the calibration "
            "photos."
        )
        return text, False
    basis = "promise" if rate.get("guaranteed") is not None else "expectation"
    return f"{observed} That agrees with the {basis}.", True


def _probability(value: float) -> str:
    return "less than 0.01 %" if value < 1e-4 else f"{100 * value:.2g} %"


def rate_intervals(num_scores: int) -> np.ndarray:
    """Returns the 95 % interval of the rate at each rank, float array `(num_scores + 1, 2)`.

    Row `m - 1` is that of the `m`-th largest score: `Beta(m, n + 1 - m)`. The last row is that of
    a threshold below all scores, of which nothing is known but that the rate is at most 1.
    """
    from scipy.stats import beta

    ranks = np.arange(1, num_scores + 1)
    ends = [beta.ppf(share, ranks, num_scores + 1 - ranks) for share in (0.025, 0.975)]
    low = ends[0][-1] if num_scores else 0.0
    return np.vstack([np.stack(ends, axis=1), [low, 1.0]])


def rate_to_ask_for(rank: int, num_scores: int) -> float:
    """Returns a rate of few digits that `kerasad calibrate` turns into this rank.

    Args:
        rank: int in [1, num_scores].
        num_scores: int.
    """
    return math.ceil(1e5 * rank / (num_scores + 1)) / 1e5
