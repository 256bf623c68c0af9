"""The verb `evaluate`: a run measured on test images."""

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from kerasad.data import Category, GoodSplit, read_category
from kerasad.data.split import DEFECTIVE, PARTS
from kerasad.data.tables import format_test_table
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.evaluation import evaluate
from kerasad.memory import peak_memory_mb
from kerasad.metrics.table import write_metrics
from kerasad.runs.folder import HISTORY, METRICS, lock_run
from kerasad.runs.regions import open_regions
from kerasad.runs.run import Run, check_provenance, write_summaries
from kerasad.training.callbacks import read_history
from kerasad.training.config import DataConfig
from kerasad.training.locations import full_path, resolve_data, with_data
from kerasad.training.recipes import find_recipe


def evaluate_run(
    run: Run,
    data: str | None = None,
    verbose: int = 1,
    *,
    folders: Mapping[str, Sequence[str]] | None = None,
    mask_foreground: str | None = None,
    echo: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Measures a run on test images and writes `metrics.json`, the last evaluation.

    Args:
        run: Run.
        data: str or None. A category, or a folder of good or of defective images; None takes the
            data that the run was trained with.
        verbose: int. 0 hides the progress bar.
        folders: mapping or None. Folders that the user names: `good`, `bad`, `masks` and `roi`.
        mask_foreground: str or None. Which pixels of a mask are defects; None is what the run says.
        echo: function of a line of text, or None. It is told what was found.

    Returns:
        The metrics of `kerasad.evaluate`, `data`, `mask_foreground`, the `calibration_id` of the
        detector, and `folders` if some were named.

    Raises:
        InputError: The data cannot be used, or another command is changing the run.
    """
    with lock_run(run.path):
        reading = with_data(
            run.config.data, data, mask_foreground=mask_foreground, **(folders or {})
        )
        return _evaluate(run, reading, verbose, echo)


def _evaluate(run, reading, verbose, echo):
    train_seconds, reason = _train_seconds(run)
    detector = run.load_detector()
    write_summaries(detector, run.path)
    category = open_test_data(run, detector, reading)
    if echo is not None:
        echo(format_test_table(category.index))
        if replaced := _describe_replaced(run, full_path(reading.path)):
            echo(replaced)
    with category.name_bad_files():
        metrics = evaluate(
            detector,
            category.test,
            records=category.index.test,
            verbose=verbose,
        )
        metrics["vanished_regions"] = category.count_vanished_regions()
    if reason is not None:
        metrics["notes"]["train_seconds"] = reason
    metrics |= {
        "seed": run.config.training.seed,
        "train_seconds": train_seconds,
        "peak_memory_mb": peak_memory_mb(),
        "labelled_left_out": len(category.labelled),
        "data": full_path(reading.path),
        "folders": reading.folders,
        "roi": None if reading.roi is None else full_path(reading.roi),
        "mask_foreground": reading.mask_foreground,
        "calibration_id": detector.decision.calibration_id,
    }
    write_metrics(run.path / METRICS, metrics)
    return metrics


def _describe_replaced(run: Run, data: str) -> str | None:
    """Returns a remark if the file holds the metrics of other test images; they will be lost."""
    try:
        before = (run.metrics or {}).get("data", data)
    except InputError:  # damaged: nothing is lost
        return None
    if before == data:
        return None
    return (
        f"Note: {run.path / METRICS} holds the metrics of {before}, and those of {data} will "
        "replace them; copy the file first to keep them."
    )


def evaluated_data(run: Run) -> DataConfig:
    """Returns how the images of `metrics.json` were read; without that file, those of the run."""
    metrics = run.metrics or {}
    return with_data(
        run.config.data,
        metrics.get("data"),
        mask_foreground=metrics.get("mask_foreground"),
        roi=metrics.get("roi"),
        **metrics.get("folders", {}),
    )


def open_test_data(
    run: Run, detector: AnomalyDetector, data: DataConfig, exclude: Iterable[str] = ()
) -> Category:
    """Opens test images at the size of the detector, with the training images of the run.

    These are all defective images, the good ones of the data set's own test part, and the good ones
    that nobody has split and that the run has not seen. Images that were labelled for the training,
    or that weights were chosen on, are not test images. If the training images are not in `data`,
    the category has none.

    Args:
        run: Run.
        detector: AnomalyDetector of the run.
        data: DataConfig. Where the images are, see `with_data`.
        exclude: Content hashes of other images that are not test images.

    Raises:
        InputError: There is no test image, or the run has seen one of them.
    """
    index = read_category(resolve_data(data.path), for_test=True, **data.reading)
    known = check_provenance(run, detector.provenance)
    labelled = known.hashes(*DEFECTIVE)
    seen = known.hashes(*PARTS, *DEFECTIVE)
    free = (record for record in index.good if record.part is None)
    index = index.with_test(record for record in free if record.content_hash not in seen)
    left_out = tuple(record for record in index.test if record.content_hash in labelled)
    index = index.without_test(labelled)
    if not index.test:
        raise InputError(
            f"{data.path} has no image that the run has not seen: name test images or more good "
            "images with --data, or look at single images with `kerasad predict`."
        )
    known.refuse_overlap(index.test, PARTS, "metrics on images that a run has seen mean nothing")
    try:
        split = known.restore(index.good, ("train", "validation"))
    except InputError:
        split = GoodSplit((), (), ())
    return _open(run, detector, data, index.without_test(exclude), split, left_out)


def open_good_photos(run: Run, detector: AnomalyDetector) -> Category:
    """Opens the good photos that set the thresholds of a run, in the place of test images.

    Args:
        run: Run.
        detector: AnomalyDetector of the run.

    Raises:
        InputError: They are not in the data of the run any more.
    """
    data = run.config.data
    index = read_category(resolve_data(data.path), for_test=True, **data.reading)
    known = check_provenance(run, detector.provenance)
    parts = ("train",) if known.crosswise else ("calibration",)
    good = known.restore((*index.good, *index.test), parts, data.path).calibrating
    if not good:
        raise InputError(f"{data.path} has none of the photos that calibrated {run.path}.")
    index = dataclasses.replace(index, good=(), test=good)
    return _open(run, detector, data, index, GoodSplit((), (), ()))


def _open(run, detector, data: DataConfig, index, split, labelled=()) -> Category:
    return Category(
        index,
        split,
        detector.geometry,
        batch_size=data.batch_size,
        seed=run.config.training.seed,
        crop_size=None if detector.tiles is None else detector.tiles.tile_size,
        cache_megabytes=0,
        labelled=labelled,
        decoding=data.decoding,
        regions=open_regions(run, detector, data, (*index.good, *index.test)),
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
