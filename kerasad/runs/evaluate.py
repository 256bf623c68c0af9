"""The verb `evaluate`: a run measured on test images."""

import dataclasses
import warnings
from collections.abc import Iterable
from typing import Any

from kerasad.data import Category, GoodSplit, read_category
from kerasad.data.split import LABELLED, PARTS
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.evaluation import evaluate
from kerasad.memory import peak_memory_mb
from kerasad.metrics.table import write_metrics
from kerasad.runs.folder import HISTORY, METRICS, lock_run
from kerasad.runs.run import Run, check_provenance, write_summaries
from kerasad.training.callbacks import read_history
from kerasad.training.locations import full_path, resolve_data
from kerasad.training.recipes import find_recipe


def evaluate_run(run: Run, data: str | None = None, verbose: int = 1) -> dict[str, Any]:
    """Measures a run on test images and writes `metrics.json`.

    Args:
        run: Run.
        data: str or None. A category or a plain folder of good images; None takes the data that
            the run was trained with.
        verbose: int. 0 hides the progress bar.

    Returns:
        The metrics of `kerasad.evaluate`, `data`, and the `calibration_id` of the detector.

    Raises:
        InputError: The data cannot be used, or another command is changing the run.
    """
    with lock_run(run.path):
        return _evaluate(run, data, verbose)


def _evaluate(run, data, verbose):
    config = run.config
    data = data or config.data.path
    train_seconds, reason = _train_seconds(run)
    detector = run.load_detector()
    write_summaries(detector, run.path)
    category = open_test_data(run, detector, data)
    with category.name_bad_files():
        metrics = evaluate(
            detector,
            category.test,
            records=category.index.test,
            seed=config.training.seed,
            train_seconds=train_seconds,
            vanished_regions=category.count_vanished_regions(),
            verbose=verbose,
        )
    metrics["labelled_left_out"] = len(category.labelled)
    metrics["peak_memory_mb"] = peak_memory_mb()
    if metrics["peak_memory_mb"] is not None:
        metrics["notes"].pop("peak_memory_mb")
    if reason is not None:
        metrics["notes"]["train_seconds"] = reason
    metrics["data"] = full_path(data)
    metrics["calibration_id"] = detector.decision.calibration_id
    write_metrics(run.path / METRICS, metrics)
    return metrics


def open_test_data(
    run: Run, detector: AnomalyDetector, data: str, exclude: Iterable[str] = ()
) -> Category:
    """Opens test images at the size of the detector, with the training images of the run.

    The test images of a plain folder are those that the run has not seen. Images of a category
    that were labelled for the training are no test images. If the training images are not in
    `data`, the category has none.

    Args:
        run: Run.
        detector: AnomalyDetector of the run.
        data: str. A category or a plain folder of good images.
        exclude: Content hashes of other images that are no test images.

    Raises:
        InputError: There is no test image, or the run has seen one of them.
    """
    config = run.config
    reading = config.data
    index = read_category(resolve_data(data), on_bad=reading.on_bad, decoding=reading.decoding)
    known = check_provenance(run, detector.provenance)
    if index.layout == "folder":
        seen = known.hashes(*PARTS, LABELLED)
        unseen = tuple(record for record in index.good if record.content_hash not in seen)
        index = dataclasses.replace(index, test=unseen)
    labelled = known.hashes(LABELLED)
    left_out = tuple(record for record in index.test if record.content_hash in labelled)
    index = index.without_test(labelled)
    if not index.test:
        raise InputError(
            f"{data} has no image that the run has not seen: name test images or more good "
            "images with --data, or look at single images with `kerasad predict`."
        )
    known.refuse_overlap(index.test, PARTS, "metrics on images that a run has seen mean nothing")
    try:
        split = known.restore(index.good, ("train", "validation"))
    except InputError:
        split = GoodSplit((), (), ())
    return Category(
        index.without_test(exclude),
        split,
        detector.geometry,
        batch_size=reading.batch_size,
        seed=config.training.seed,
        crop_size=None if detector.tiles is None else detector.tiles.tile_size,
        cache_megabytes=0,
        labelled=left_out,
        decoding=reading.decoding,
    )


def _train_seconds(run: Run) -> tuple[float | None, str | None]:
    """Returns the seconds of the training, or None and why they are not known."""
    if find_recipe(run.config.model.name).steps == 0:
        return None, "nothing is trained"
    path = run.path / HISTORY
    if not path.is_file():
        return None, f"the run has no {HISTORY}"
    try:
        return sum(read_history(path)["seconds"]), None
    except InputError as error:
        # No metric depends on the curves.
        warnings.warn(f"The seconds of training are not known. {error}", stacklevel=2)
        return None, f"{HISTORY} is damaged"
