"""The pass over good images that sets a detector's thresholds, and remembers their features."""

import numpy as np

from kerasad.detector.conformal import check_rate, check_rates, conformal_rules
from kerasad.detector.descriptors import describe_images
from kerasad.detector.summary import ON_CROPS_NOTE
from kerasad.errors import InputError
from kerasad.layers.score_histogram import ScoreHistogram


def calibrate_detector(
    detector,
    calibration=None,
    false_alarm_rate: float = 0.05,
    review_rate: float | None = None,
    pixel_rate: float = 0.005,
    strict: bool = False,
    on_crops: bool = False,
    verbose: int = 1,
) -> None:
    """Sets the thresholds from good images that nothing else has seen.

    Args:
        detector: `AnomalyDetector`.
        calibration: dataset of inputs of good images; None keeps the stored scores and the
            pixel threshold, and only changes the rates.
        false_alarm_rate: float in (0, 1). Share of good images that may be called defective.
        review_rate: float in (0, 1) or None. Share of good images that may be called defective or
            to be looked at, above `false_alarm_rate`; None leaves no image to be looked at.
        pixel_rate: float in (0, 1). Share of the good images' pixels above the pixel threshold.
        strict: bool. Whether too few images for the rate are an error.
        on_crops: bool. Whether the images are crops of one photo, which guarantee nothing. Ignored
            without `calibration`.
        verbose: 0 or 1. Whether to show progress.

    Raises:
        InputError: For a rate outside (0, 1), a `review_rate` that is not the larger one, no
            image, or, if `strict`, too few images or crops of one. The detector is then as it was.
    """
    check_rates(false_alarm_rate, review_rate)
    check_rate(pixel_rate, "pixel_rate")
    crops = bool(float(detector._on_crops)) if calibration is None else on_crops
    if strict and crops:
        raise InputError(ON_CROPS_NOTE + " Give more good images.")
    if calibration is None:
        stored = detector.decision.stored_scores()
        rules = conformal_rules(stored, false_alarm_rate, review_rate, strict)
    else:
        scores, pixel_threshold, descriptors = _measure(detector, calibration, pixel_rate, verbose)
        kept = detector.decision.thin(scores)
        rules = conformal_rules(kept, false_alarm_rate, review_rate, strict)
        detector.decision.set_scores(kept)
        detector.descriptors.assign(detector.descriptors.choose(descriptors))
        detector._pixel_threshold.assign(pixel_threshold)
        detector._pixel_rate.assign(pixel_rate)
        detector._on_crops.assign(float(on_crops))
    detector.decision.set_rules(*rules)
    detector._requested_rate.assign(false_alarm_rate)


def forget_calibration(detector) -> None:
    """Takes the thresholds back: what was calibrated before belongs to other maps."""
    detector.decision.set_scores(np.empty(0, "float32"))
    detector._pixel_threshold.assign(np.inf)
    detector.descriptors.assign(detector.descriptors.stored()[:0])
    detector._on_crops.assign(0.0)


def _measure(detector, calibration, pixel_rate, verbose):
    histogram = ScoreHistogram()
    scores, descriptors = [], []
    for outputs, inputs, _ in detector.predict_stream(calibration, verbose, "calibrating"):
        images, valid = detector.prepare(inputs)
        scores.append(outputs["anomaly_score"])
        histogram.update(outputs["anomaly_map"], valid)
        descriptors.append(describe_images(detector, images, valid))
    if not scores:
        raise InputError("There is no calibration image; give at least one good image.")
    pixel_threshold = float(histogram.quantile(1.0 - pixel_rate))
    return np.concatenate(scores), pixel_threshold, np.concatenate(descriptors)
