"""What a detector's calibration found, ready for JSON."""

import math

import numpy as np

from kerasad.detector.conformal import conformal_rules

ON_CROPS_NOTE = (
    "Fewer than 5 good images: the threshold comes from crops of one left-out image, which are "
    "not independent, so no false-alarm rate is guaranteed."
)


def summarize(detector) -> dict:
    """Returns what the calibration found.

    Args:
        detector: `AnomalyDetector`.

    Returns:
        dict of `threshold`, `review_threshold` (the same without a review band) and
        `pixel_threshold` (None before `calibrate`), `pixel_rate`, `num_images`, `false_alarm_rate`
        (a dict of `requested`, `guaranteed` and `interval_95`; the last two None if the images
        were crops of one), `review_rate` (alike; None without a review band), `note` and
        `experts` (by name: `weight`, `score_weight`, `mean`, `scale`).
    """
    rate, review_rate = float(detector._requested_rate), detector.decision.review_rate
    scores = detector.decision.stored_scores()
    rule = review_rule = None
    note = "Not calibrated yet."
    if float(detector._on_crops):
        note = ON_CROPS_NOTE
    elif len(scores):
        rule, review_rule = conformal_rules(scores, rate, review_rate)
        notes = [found.note for found in (rule, review_rule) if found is not None and found.note]
        note = " ".join(notes) or None
    rows = zip(
        detector.experts,
        np.asarray(detector.fusion_weights),
        np.asarray(detector.score_weights),
        np.asarray(detector.map_calibration.mean),
        np.asarray(detector.map_calibration.scale),
        strict=True,
    )
    return {
        "threshold": _finite(detector.threshold),
        "review_threshold": _finite(detector.review_threshold),
        "pixel_threshold": _finite(detector.pixel_threshold),
        "pixel_rate": float(detector._pixel_rate),
        "num_images": len(scores),
        "false_alarm_rate": _describe_rate(rate, rule),
        "review_rate": None if review_rate is None else _describe_rate(review_rate, review_rule),
        "note": note,
        "experts": {
            expert.name: {
                "weight": float(weight),
                "score_weight": float(score_weight),
                "mean": float(mean),
                "scale": float(scale),
            }
            for expert, weight, score_weight, mean, scale in rows
        },
    }


def _describe_rate(requested, rule):
    return {
        "requested": requested,
        "guaranteed": None if rule is None else rule.guaranteed,
        "interval_95": None if rule is None else list(rule.interval_95),
    }


def _finite(value):
    return value if math.isfinite(value) else None
