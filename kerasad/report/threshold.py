"""What a page needs to move a threshold and to say what it promises."""

from typing import Any

import numpy as np

from kerasad.report.page import pack
from kerasad.report.promise import rate_intervals, rate_to_ask_for


def threshold_numbers(detector, path: str) -> dict[str, Any]:
    """Returns thresholds, calibration scores and rates, as `common.js` reads them.

    Args:
        detector: a calibrated `AnomalyDetector`.
        path: str. Its run's folder, for a command that the page names.

    Returns:
        dict of `path`, `threshold`, `review`, `calibration` (float32 scores, largest first, see
        `pack`), `rates` (the 95 % interval at each rank; empty if nothing is promised), `ask` (the
        rate that `kerasad calibrate` turns into each rank), `experts` (weight by name) and
        `guaranteed`.
    """
    calibration = detector.decision.stored_scores()
    summary = detector.calibration_summary()
    rates = summary["false_alarm_rate"]
    is_promised = rates["expected"] is not None
    count = len(calibration)
    return {
        "path": path,
        "threshold": float(detector.threshold),
        "review": float(detector.review_threshold),
        "calibration": pack(calibration, "float32"),
        "rates": np.round(rate_intervals(count), 4).tolist() if is_promised else [],
        "ask": [rate_to_ask_for(rank, count) for rank in range(1, count + 1)]
        if is_promised
        else [],
        "experts": {
            name: weights["weight"] for name, weights in (summary.get("experts") or {}).items()
        },
        "guaranteed": rates["guaranteed"] is not None,
    }
