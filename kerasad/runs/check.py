"""The verb `check`: do new good images still look like those that calibrated a run?"""

from typing import Any

from kerasad.data.split import LABELLED, refuse_overlap
from kerasad.detector.drift import check_level, measure_drift
from kerasad.errors import InputError
from kerasad.runs.new_images import load_new_images
from kerasad.runs.run import SPLIT, Run


def check_run(run: Run, data: str | None, level: float = 0.05, verbose: int = 1) -> dict[str, Any]:
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
    good = load_new_images(run, detector, data)
    parts = ("train", "validation", "calibration", LABELLED)
    reason = "what it has seen is nothing new to compare it with"
    refuse_overlap(good.records, run.part(SPLIT), parts, reason)
    return measure_drift(detector, good.dataset, level, verbose)
