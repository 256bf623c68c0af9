"""The verb `check`: whether new good images still look like those that calibrated a run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kerasad.data.split import DEFECTIVE, PARTS
from kerasad.detector.drift import check_level, measure_drift
from kerasad.runs.new_images import load_unseen_images
from kerasad.runs.run import Run
from kerasad.training.locations import with_data


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
    good = load_unseen_images(run, detector, reading, (*PARTS, *DEFECTIVE), reason, echo)
    return measure_drift(detector, good.dataset, level, verbose)
