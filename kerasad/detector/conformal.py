"""A threshold with a stated false-alarm rate, from scores of good images alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kerasad.errors import InputError

ON_CROPS_NOTE = (
    "Fewer than 5 good images: the threshold comes from crops of one left-out image, which are "
    "not independent, so no false-alarm rate is guaranteed."
)

CROSSWISE_NOTE = (
    "Each good image was scored by statistics of the others, so the false-alarm rate is expected, "
    "not guaranteed. Images that only calibrate guarantee one."
)

UPDATED_NOTE = (
    "The thresholds are those of the images of the last update alone: the rate is that of images "
    "like these."
)


def describe_review_choice(num_defects: int) -> str:
    """Returns the remark on a review band that real defects have chosen."""
    return (
        f"The review band was chosen on {num_defects} real defects, so its rate is expected, not "
        "guaranteed."
    )


@dataclass(frozen=True)
class ConformalRule:
    """A threshold and what it guarantees.

    Attributes:
        threshold: float. Images with a score strictly above it are called defective.
        requested: float. The false-alarm rate asked for.
        expected: float. The rate that holds on average over calibration sets.
        guaranteed: float or None. The same rate where calibration images have done nothing else;
            None where nothing is guaranteed.
        interval_95: pair of floats. The rate of this threshold lies in it with a probability of
            95 %, before the calibration images are seen.
        num_images: int. Calibration scores.
        note: str or None. What the user should know about it.
    """

    threshold: float
    requested: float
    expected: float
    guaranteed: float | None
    interval_95: tuple[float, float]
    num_images: int
    note: str | None


def conformal_rule(
    scores: np.ndarray, false_alarm_rate: float = 0.05, strict: bool = False
) -> ConformalRule:
    """Returns the split-conformal threshold of good images' scores.

    With `n` scores and `m = floor(rate * (n + 1))` the threshold is the `m`-th largest score. The
    probability that a further good image scores strictly above it is at most `m / (n + 1)`, and
    over calibration sets that rate follows `Beta(m, n + 1 - m)` (for scores without ties). If
    `m = 0` the threshold is the largest score and the guaranteed rate `1 / (n + 1)`.

    Args:
        scores: float array `(n,)`, n >= 1, finite.
        false_alarm_rate: float in (0, 1).
        strict: bool. Whether too few images for the rate are an error.

    Raises:
        InputError: For a rate outside (0, 1), no scores, a score that is not finite, or, if
            `strict`, too few images.

    Reference: Vovk, "Conditional validity of inductive conformal predictors", ACML 2012;
    Angelopoulos and Bates, "A gentle introduction to conformal prediction", 2021, section 3.2.
    """
    check_rate(false_alarm_rate)
    scores = largest_first(scores)
    count = len(scores)
    if count == 0:
        raise InputError("There is no calibration image; give at least one good image.")
    # 0.29 is stored a little too small, and 0.29 * 100 must still be 29.
    rank = min(math.floor(false_alarm_rate * (count + 1) + 1e-9), count)
    note = None
    if rank == 0:
        needed = math.ceil(1.0 / false_alarm_rate - 1e-9) - 1
        have = "image guarantees" if count == 1 else "images guarantee"
        note = (
            f"{count} calibration {have} {1 / (count + 1):.1%}; "
            f"{100 * false_alarm_rate:.3g}% needs {needed}."
        )
        if strict:
            raise InputError(note + " Give more good images or ask for a higher rate.")
        rank = 1
    return ConformalRule(
        threshold=float(scores[rank - 1]),
        requested=float(false_alarm_rate),
        expected=rank / (count + 1),
        guaranteed=rank / (count + 1),
        interval_95=_beta_interval(rank, count + 1 - rank),
        num_images=count,
        note=note,
    )


def describe_groups(rule: ConformalRule, num_images: int) -> str:
    """Returns what a rule of fewer groups than images promises, in a sentence.

    Args:
        rule: `ConformalRule` of one score for each group.
        num_images: int. Images in these groups.
    """
    count = rule.num_images
    text = f"{num_images} calibration photos, about {count} scene{'s' * (count > 1)}"
    least = 1 / (count + 1)
    if rule.requested * (1 + 1e-9) < least:
        cannot = f"{text}: {100 * rule.requested:.3g}% cannot be"
        if rule.guaranteed is None:
            return f"{cannot} expected, {least:.1%} is."
        return f"{cannot} promised, {least:.1%} can."
    return f"{text}: each scene counts once, by its largest score."


def describe_rate(rate: Mapping[str, Any]) -> str:
    """Returns what is known of a rate, in words: what holds on average, and its 95 % interval.

    Args:
        rate: mapping of `requested`, `expected`, `guaranteed` and `interval_95`, as in a summary
            of a calibration.
    """
    text = f"requested {rate['requested']:.1%}, "
    if rate["expected"] is None:
        return text + "guaranteed nothing"
    low, high = rate["interval_95"]
    if rate["guaranteed"] is None:
        text += f"expected {rate['expected']:.1%}, guaranteed nothing; the true rate lies in about "
    else:
        text += f"guaranteed {rate['guaranteed']:.1%}; the true rate lies in "
    return text + f"{low:.1%} to {high:.1%} (95 % interval)"


def check_rate(rate: float, argument: str = "false_alarm_rate") -> None:
    """Raises an `InputError` that names the argument unless the rate is in (0, 1)."""
    if not 0.0 < rate < 1.0:
        raise InputError(f"`{argument}` must be above 0 and below 1. Received: {rate}")


def conformal_rules(
    scores: np.ndarray,
    false_alarm_rate: float = 0.05,
    review_rate: float | None = None,
    strict: bool = False,
    on_crops: bool = False,
    crosswise: bool = False,
) -> tuple[ConformalRule, ConformalRule | None]:
    """Returns the rules of both thresholds: for defective images, and for images to be reviewed.

    Both are those of `conformal_rule`. A good image is called defective with at most the first
    rule's guaranteed rate. It is called defective or to be reviewed with at most the second's.

    Args:
        scores, false_alarm_rate: as in `conformal_rule`.
        review_rate: float in (0, 1), above `false_alarm_rate`; None makes no second rule.
        strict: bool. Whether it is an error that a rate cannot be guaranteed.
        on_crops: bool. Whether the scores are of crops of one photo, which guarantee nothing.
        crosswise: bool. Whether each image was scored by statistics of the others. The deployed
            statistics are of all images, and neither the split-conformal bound nor that of CV+
            holds for them: the rate is expected and the interval approximate.

    Raises:
        InputError: As of `conformal_rule` and `check_rates`.
    """
    check_rates(false_alarm_rate, review_rate, strict, on_crops, crosswise)
    rule = conformal_rule(scores, false_alarm_rate, strict)
    if crosswise:
        rule = replace(rule, guaranteed=None)
    if review_rate is None:
        return rule, None
    review_rule = conformal_rule(scores, review_rate, strict)
    if crosswise:
        review_rule = replace(review_rule, guaranteed=None)
    if review_rule.threshold == rule.threshold:
        note = (
            f"With {rule.num_images} calibration images the thresholds of "
            f"{100 * false_alarm_rate:.3g}% and {100 * review_rate:.3g}% are the same, so no image "
            "ever needs review; a higher review rate or more good images would separate them."
        )
        review_rule = replace(review_rule, note=note)
    return rule, review_rule


def check_rates(
    false_alarm_rate: float,
    review_rate: float | None = None,
    strict: bool = False,
    on_crops: bool = False,
    crosswise: bool = False,
) -> None:
    """Raises an `InputError` unless 0 < `false_alarm_rate` < `review_rate` < 1 (None is allowed).

    It also does if a `strict` guarantee is demanded of crops of one photo, or of images that were
    scored crosswise.
    """
    check_rate(false_alarm_rate)
    if review_rate is not None:
        check_rate(review_rate, "review_rate")
        if review_rate <= false_alarm_rate:
            raise InputError(
                f"`review_rate` must be above `false_alarm_rate`, {false_alarm_rate}, since it "
                f"includes the images called defective. Received: {review_rate}"
            )
    if strict and on_crops:
        raise InputError(ON_CROPS_NOTE + " Give more good images.")
    if strict and crosswise:
        raise InputError(CROSSWISE_NOTE + " Calibrate with such images.")


def largest_first(scores: np.ndarray) -> np.ndarray:
    """Returns scores as float32, largest first; raises an `InputError` if one is not finite."""
    scores = np.sort(np.asarray(scores, "float32").ravel())[::-1]
    if not np.all(np.isfinite(scores)):
        raise InputError("A calibration score is not finite; check the images for NaN.")
    return scores


def _beta_interval(a, b):
    from scipy.stats import beta

    low, high = beta.ppf([0.025, 0.975], a, b)
    return float(low), float(high)
