"""The verb `calibrate`: new thresholds for a run, or for a new one, from images it has not seen."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasad.console import count_of
from kerasad.data.split import DEFECTIVE, number_groups
from kerasad.detector.conformal import describe_rate
from kerasad.errors import InputError
from kerasad.runs.folder import CONFIG, HISTORY, MODEL, create_run, lock_run
from kerasad.runs.new_images import load_unseen_images
from kerasad.runs.run import Run, open_run, save_detector
from kerasad.training.locations import with_data

SURPRISE = 1e-3


def calibrate_run(
    run: Run,
    data: str | None = None,
    false_alarm_rate: float | None = None,
    review_rate: float | None = None,
    strict: bool = False,
    verbose: int = 1,
    *,
    folders: Mapping[str, Sequence[str]] | None = None,
    echo: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Sets the thresholds of a run anew; its model, scales and fusion weights stay.

    Args:
        run: Run.
        data: str or None. Good images, all of which are used; None keeps the stored scores.
        false_alarm_rate: float or None. None keeps the rate.
        review_rate: float or None. None keeps the review band, 0 removes it.
        strict: bool. Refuse a rate that so few images cannot guarantee.
        verbose: int. 0 hides the progress bar.
        folders: mapping or None. Folders that the user names: `good`, `bad` and `masks`; also
            `group_by`, which images belong together.
        echo: function of a line of text, or None. It is told what was found.

    Returns:
        The content of `calibration.json`.

    Raises:
        InputError: There is nothing to change, no image, an image that the run was trained with,
            the rates contradict each other, or another command is changing the run.
    """
    _check_changes(data, false_alarm_rate, review_rate)
    with lock_run(run.path):
        detector = run.load_detector()
        rates = false_alarm_rate, review_rate, strict
        _set_thresholds(run, detector, data, rates, verbose, folders, echo)
        return save_detector(detector, run.path)


def recalibrate_run(
    run: Run,
    data: str,
    output: str | Path,
    verbose: int = 1,
    *,
    folders: Mapping[str, Sequence[str]] | None = None,
    echo: Callable[[str], None] | None = None,
) -> Run:
    """Writes a new run that differs from a run by its thresholds.

    Args:
        run: Run. It stays as it is.
        data: str. Good images, all of which are used.
        output: str or Path. The folder to create.
        verbose, folders, echo: as in `calibrate_run`.

    Returns:
        The new run. Metrics, reports and what was said of unusual images are not taken over.

    Raises:
        InputError: `output` exists, or as of `calibrate_run`.
    """
    with create_run(output) as work:
        parts, detector = run.read_together(lambda: (_read_parts(run), run.load_detector()))
        _set_thresholds(run, detector, data, (None, None, False), verbose, folders, echo)
        for name, content in parts.items():
            (work / name).write_bytes(content)
        save_detector(detector, work)
    return open_run(output)


def _read_parts(run: Run) -> dict[str, bytes]:
    names = [CONFIG, MODEL, *([HISTORY] if (run.path / HISTORY).is_file() else [])]
    return {name: run.part(name).read_bytes() for name in names}


def _check_changes(data, *rates):
    if data is None and all(rate is None for rate in rates):
        raise InputError(
            "There is nothing to change: give --data, --false-alarm-rate or --review-rate."
        )


def _set_thresholds(run, detector, data, rates, verbose, folders, echo) -> None:
    """Sets the thresholds of a run's detector, and records the images that did it."""
    false_alarm_rate, review_rate, strict = rates
    before = detector.calibration_summary()
    if false_alarm_rate is None:
        false_alarm_rate = before["false_alarm_rate"]["requested"]
    if review_rate is None:
        review_rate = detector.decision.review_rate
    options = {
        "false_alarm_rate": false_alarm_rate,
        "review_rate": review_rate or None,
        "strict": strict,
        "verbose": verbose,
    }
    if data is None:
        detector.calibrate(None, **options)
        return
    reason = "thresholds from images that it has seen would promise too much"
    unseen = ("train", "validation", *DEFECTIVE)
    reading = with_data(run.config.data, data, **(folders or {}))
    good = load_unseen_images(run, detector, reading, unseen, reason, echo)
    threshold, rate = detector.threshold, before["false_alarm_rate"]["requested"]
    groups = number_groups(good.records)
    detector.calibrate(good.dataset, groups=groups, **options)
    surprise = describe_surprise(detector.decision.stored_scores(), threshold, rate)
    if echo is not None and surprise is not None:
        echo(surprise)
    # The new calibration images must be known: later evaluations refuse them as test images.
    detector.record_images(detector.provenance.replace(calibration=good.records))


def describe_surprise(scores: np.ndarray, threshold: float, rate: float) -> str | None:
    """Returns a warning if far more new images than expected are above the former threshold.

    Of `n` images like those that set the threshold, the number above it is at most binomial with
    the false-alarm rate. A number that has a probability below 0.1 % is a surprise: some of the
    images may be defective, and would raise the threshold.

    Args:
        scores: float array `(n,)`. Scores of the new images.
        threshold: float. The former threshold.
        rate: float in (0, 1). Its false-alarm rate.
    """
    from scipy.stats import binom

    count = int((scores > threshold).sum())
    if not binom.sf(count - 1, len(scores), rate) < SURPRISE:
        return None
    return (
        f"Warning: {count} of {len(scores)} images are above the former threshold of "
        f"{threshold:.4g}, where {rate:.1%} of good ones are expected. If some of them are "
        "defective, the new threshold hides such defects: look at them with `kerasad predict`."
    )


def describe_calibration(summary: dict[str, Any]) -> str:
    """Returns the thresholds, what they guarantee and where the true rates lie, in a sentence each.

    Args:
        summary: dict, the content of `calibration.json`.
    """
    count, groups = summary["num_images"], summary["num_groups"]
    scenes = f" of about {groups} scene{'s' * (groups > 1)}" if groups < count else ""
    images = count_of(count, "image")
    text = (
        f"{images}{scenes}: threshold {summary['threshold']:.4g}, false-alarm rate "
        f"{describe_rate(summary['false_alarm_rate'])}."
    )
    if summary["review_rate"] is not None:
        text += (
            f" To be reviewed above {summary['review_threshold']:.4g}, review rate "
            f"{describe_rate(summary['review_rate'])}."
        )
    return text
