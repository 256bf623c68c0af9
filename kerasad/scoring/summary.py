"""What a detector's calibration found, ready for JSON."""

import math

import numpy as np

from kerasad.scoring.conformal import conformal_rule

ON_CROPS_NOTE = (
    "Fewer than 5 good images: the threshold comes from crops of one left-out image, which are "
    "not independent, so no false-alarm rate is guaranteed."
)


def summarize(detector) -> dict:
    """Returns what the calibration found.

    Args:
        detector: `AnomalyDetector`.

    Returns:
        dict of `threshold` and `pixel_threshold` (None before `calibrate`), `pixel_rate`,
        `num_images`, `false_alarm_rate` (a dict of `requested`, `guaranteed` and `interval_95`;
        the last two None if the images were crops of one), `note` and `experts`
        (by name: `weight`, `mean`, `scale`).
    """
    rate = float(detector._requested_rate)
    scores = detector.decision.stored_scores()
    guaranteed = interval = None
    note = "Not calibrated yet."
    if float(detector._on_crops):
        note = ON_CROPS_NOTE
    elif len(scores):
        rule = conformal_rule(scores, rate)
        guaranteed, interval, note = rule.guaranteed, list(rule.interval_95), rule.note
    rows = zip(
        detector.experts,
        np.asarray(detector.fusion_weights),
        np.asarray(detector.map_calibration.mean),
        np.asarray(detector.map_calibration.scale),
        strict=True,
    )
    return {
        "threshold": _finite(detector.threshold),
        "pixel_threshold": _finite(detector.pixel_threshold),
        "pixel_rate": float(detector._pixel_rate),
        "num_images": len(scores),
        "false_alarm_rate": {
            "requested": rate,
            "guaranteed": guaranteed,
            "interval_95": interval,
        },
        "note": note,
        "experts": {
            expert.name: {"weight": float(w), "mean": float(m), "scale": float(s)}
            for expert, w, m, s in rows
        },
    }


def _finite(value):
    return value if math.isfinite(value) else None
