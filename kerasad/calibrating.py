"""Sets the thresholds of a finished run anew, or checks whether they still fit."""

from typing import Any

from kerasad import runs
from kerasad.data.geometry import whole_batch_size
from kerasad.data.loading import load_good_images
from kerasad.data.split import LABELLED, refuse_overlap, replace_calibration
from kerasad.detector.drift import check_level, measure_drift
from kerasad.errors import InputError
from kerasad.locations import resolve_data
from kerasad.run_steps import detector_geometry
from kerasad.training import save_detector


def calibrate_run(
    run: runs.Run,
    data: str | None = None,
    false_alarm_rate: float | None = None,
    review_rate: float | None = None,
    strict: bool = False,
    verbose: int = 1,
) -> dict[str, Any]:
    """Sets a run's thresholds anew; scales, fusion weights and the model stay.

    Args:
        run: Run.
        data: str or None. Good images, all of which are used; None keeps the stored scores.
        false_alarm_rate: float or None. None keeps the rate.
        review_rate: float or None. None keeps the review band, 0 takes it away.
        strict: bool. Refuse a rate that so few images cannot guarantee.
        verbose: int. 0 hides the progress bar.

    Returns:
        The content of `calibration.json`.

    Raises:
        InputError: Nothing to change, rates out of order, an image that the run was trained with,
            or no image.
    """
    if data is None and false_alarm_rate is None and review_rate is None:
        raise InputError(
            "There is nothing to change: give --data, --false-alarm-rate or --review-rate."
        )
    detector = run.load_detector()
    before = detector.calibration_summary()
    if false_alarm_rate is None:
        false_alarm_rate = before["false_alarm_rate"]["requested"]
    if review_rate is None:
        review_rate = detector.decision.review_rate
    rates = {"false_alarm_rate": false_alarm_rate, "review_rate": review_rate or None}
    split = None
    if data is None:
        detector.calibrate(None, **rates, strict=strict, verbose=verbose)
    else:
        good = _load_good_images(run, detector, data)
        refuse_overlap(good.records, run.part(runs.SPLIT))
        detector.calibrate(
            good.dataset,
            **rates,
            pixel_rate=before["pixel_rate"],
            strict=strict,
            verbose=verbose,
        )
        # Whoever evaluates later must know that these are no test images any more.
        split = replace_calibration(run.part(runs.SPLIT), good.records)
    return save_detector(detector, run.path, split)


def check_run(
    run: runs.Run, data: str | None, level: float = 0.05, verbose: int = 1
) -> dict[str, Any]:
    """Tells whether new good images still look like those that calibrated a run; changes nothing.

    Args:
        run: Run.
        data: str or None. Good images that the run has not seen, all of which are used.
        level: float. Probability of calling it drift although nothing has changed, at most.
        verbose: int. 0 hides the progress bar.

    Returns:
        What was found, see `kerasad.detector.drift.measure_drift`.

    Raises:
        InputError: No data, an image that the run has seen, too few images, or a level out of
            range.
    """
    check_level(level)
    if data is None:
        raise InputError("There is nothing to compare: name new good images with --data.")
    detector = run.load_detector()
    good = _load_good_images(run, detector, data)
    parts = ("train", "validation", "calibration", LABELLED)
    reason = "what it has seen is nothing new to compare it with"
    refuse_overlap(good.records, run.part(runs.SPLIT), parts, reason)
    return measure_drift(detector, good.dataset, level, verbose)


def _load_good_images(run, detector, data):
    config = run.config.data
    return load_good_images(
        resolve_data(data),
        detector_geometry(detector),
        whole_batch_size(config.batch_size, detector.image_size, detector.model.image_shape),
        on_bad=config.on_bad,
        max_value=config.max_value,
        pixel_limit=config.pixel_limit,
    )


def describe_calibration(summary: dict[str, Any]) -> str:
    """Returns the thresholds and what they promise, as a sentence or two.

    Args:
        summary: dict, the content of `calibration.json`.
    """
    text = (
        f"{summary['num_images']} images: threshold {summary['threshold']:.4g}, false-alarm rate "
        f"{_describe_rate(summary['false_alarm_rate'])}."
    )
    if summary["review_rate"] is not None:
        text += (
            f" To be looked at above {summary['review_threshold']:.4g}, review rate "
            f"{_describe_rate(summary['review_rate'])}."
        )
    return text


def _describe_rate(rate: dict[str, Any]) -> str:
    promise = "nothing" if rate["guaranteed"] is None else f"{rate['guaranteed']:.1%}"
    return f"requested {rate['requested']:.1%}, guaranteed {promise}"
