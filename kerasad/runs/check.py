"""The verb `check`: do new good images still look like those that calibrated a run?"""

from typing import Any

from kerasad.data.split import LABELLED, PARTS
from kerasad.detector.drift import check_level, measure_drift
from kerasad.runs.new_images import load_new_images
from kerasad.runs.run import Run


def check_run(run: Run, data: str, level: float = 0.05, verbose: int = 1) -> dict[str, Any]:
    """Tells whether new good images still look like those that calibrated a run.

    Nothing is changed.

    Args:
        run: Run.
        data: str. Good images that the run has not seen; all of them are used.
        level: float. Upper limit of the probability of finding drift where there is none.
        verbose: int. 0 hides the progress bar.

    Returns:
        The result of `kerasad.detector.drift.measure_drift`.

    Raises:
        InputError: The run has seen an image, there are too few, or the level is out of range.
    """
    check_level(level)
    detector = run.load_detector()
    reason = "images that it has seen say nothing about new ones"
    good = load_new_images(run, detector, data, (*PARTS, LABELLED), reason)
    return measure_drift(detector, good.dataset, level, verbose)
