"""The verbs `calibrate` and `check`: what good images that a run has not seen say of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kerasad.data.geometry import whole_batch_size
from kerasad.data.loading import GoodImages, load_good_images
from kerasad.data.split import LABELLED, PARTS, number_groups
from kerasad.data.tables import format_good_table
from kerasad.detector import AnomalyDetector
from kerasad.detector.conformal import describe_rate
from kerasad.detector.drift import check_level, measure_drift
from kerasad.errors import InputError
from kerasad.runs.folder import lock_run
from kerasad.runs.run import Run, check_provenance, save_detector
from kerasad.training.config import DataConfig
from kerasad.training.locations import resolve_data, with_data
from kerasad.training.near_copies import copy_finder

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
    if data is None and false_alarm_rate is None and review_rate is None:
        raise InputError(
            "There is nothing to change: give --data, --false-alarm-rate or --review-rate."
        )
    with lock_run(run.path):
        return _calibrate(run, data, false_alarm_rate, review_rate, strict, verbose, folders, echo)


def _calibrate(run, data, false_alarm_rate, review_rate, strict, verbose, folders, echo):
    detector = run.load_detector()
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
        return save_detector(detector, run.path)
    reason = "thresholds from images that it has seen would promise too much"
    unseen = ("train", "validation", LABELLED)
    reading = with_data(run.config.data, data, **(folders or {}))
    good = load_new_images(run, detector, reading, unseen, reason, echo)
    threshold, rate = detector.threshold, before["false_alarm_rate"]["requested"]
    groups = number_groups(good.records)
    detector.calibrate(good.dataset, groups=groups, **options)
    surprise = describe_surprise(detector.decision.stored_scores(), threshold, rate)
    if echo is not None and surprise is not None:
        echo(surprise)
    # The new calibration images must be known: later evaluations refuse them as test images.
    detector.record_images(detector.provenance.replace(calibration=good.records))
    return save_detector(detector, run.path)


def check_run(
    run: Run,
    data: str,
    level: float = 0.05,
    verbose: int = 1,
    *,
    folders: Mapping[str, Sequence[str]] | None = None,
    echo: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Tells whether new good images still look like those that calibrated a run.

    Nothing is changed.

    Args:
        run: Run.
        data: str. Good images that the run has not seen; all of them are used.
        level: float. Upper limit of the probability of finding drift where there is none.
        verbose: int. 0 hides the progress bar.
        folders: mapping or None. See `calibrate_run`, also for `echo`.
        echo: function or None.

    Returns:
        The result of `kerasad.detector.drift.measure_drift`.

    Raises:
        InputError: The run has seen an image, there are too few, or the level is out of range.
    """
    check_level(level)
    config, detector = run.read_together(lambda: (run.config.data, run.load_detector()))
    reason = "images that it has seen say nothing about new ones"
    # Drift is asked of each image.
    reading = with_data(config, data, **{**(folders or {}), "group_by": "none"})
    good = load_new_images(run, detector, reading, (*PARTS, LABELLED), reason, echo)
    return measure_drift(detector, good.dataset, level, verbose)


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
    text = (
        f"{count} images{scenes}: threshold {summary['threshold']:.4g}, false-alarm rate "
        f"{describe_rate(summary['false_alarm_rate'])}."
    )
    if summary["review_rate"] is not None:
        text += (
            f" To be looked at above {summary['review_threshold']:.4g}, review rate "
            f"{describe_rate(summary['review_rate'])}."
        )
    return text


def load_new_images(
    run: Run,
    detector: AnomalyDetector,
    config: DataConfig,
    unseen: Sequence[str],
    reason: str,
    echo: Callable[[str], None] | None = None,
) -> GoodImages:
    """Loads good images as those of the run were loaded.

    Args:
        run: Run.
        detector: AnomalyDetector. The detector of the run.
        config: DataConfig. The images, and how those of the run are read.
        unseen: names of parts of the run's images, none of which may be among them.
        reason: str. Why not; a part of the error message.
        echo: function or None. See `calibrate_run`.

    Raises:
        InputError: There is no image, or the run has seen one.
    """
    good = load_good_images(
        resolve_data(config.path),
        detector.geometry,
        whole_batch_size(config.batch_size, detector.image_size, detector.model.image_shape),
        group_by=config.group_by,
        find_copies=copy_finder(config),
        **config.reading,
    )
    if echo is not None and good.index is not None:
        echo(format_good_table(good.index, len(good.records)))
    check_provenance(run, detector.provenance).refuse_overlap(good.records, unseen, reason)
    return good
