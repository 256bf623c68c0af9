"""What can be done with a finished run that changes no threshold: evaluate, report, export."""

import dataclasses
import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasad import runs
from kerasad.callbacks import read_history
from kerasad.data.category import Category
from kerasad.data.geometry import Geometry
from kerasad.data.image_record import ImageRecord
from kerasad.data.labelled import without
from kerasad.data.records import read_category, read_images
from kerasad.data.split import (
    LABELLED,
    GoodSplit,
    read_split,
    restore_split,
)
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.evaluation import evaluate
from kerasad.export import export_saved_model
from kerasad.locations import full_path, resolve_data
from kerasad.memory import peak_memory_mb
from kerasad.metrics.table import write_metrics


def evaluate_run(run: runs.Run, data: str | None = None, verbose: int = 1) -> dict[str, Any]:
    """Measures a run on test images and writes `metrics.json`.

    Args:
        run: Run.
        data: str or None. A category or a plain folder of good images; None is the data that the
            run was trained with.
        verbose: int. 0 hides the progress bar.

    Returns:
        The metrics, as `kerasad.evaluate` returns them, and `data`.
    """
    config = run.config
    data = data or config.data.path
    train_seconds, reason = _train_seconds(run)
    detector = run.load_detector()
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
    write_metrics(run.path / runs.METRICS, metrics)
    return metrics


def report_run(run: runs.Run, beside: runs.Run | None = None) -> Path:
    """Writes `report.html`; parts that need images which are gone say so.

    Args:
        run: Run.
        beside: Run or None. Another run on the same images, whose latent space is shown too.
    """
    from kerasad.report.build import write_report

    data = (run.metrics or {}).get("data") or run.config.data.path

    def load_data(detector):
        category = open_test_data(run, detector, data)
        if beside is not None:  # nor are those test images that the other run learnt from
            labelled = read_split(beside.part(runs.SPLIT))[LABELLED]
            test = without(category.index.test, labelled)
            category.index = dataclasses.replace(category.index, test=test)
        return category

    return write_report(run, load_data, beside)


def export_run(
    run: runs.Run,
    output: str | Path,
    data: str | None = None,
    warmup: bool = True,
    data_licence: str = "not known",
    pixel_limit: int | None = None,
) -> Path:
    """Writes a run's detector as the next version of a model; see `export_saved_model`.

    Args:
        run: Run.
        output: str or Path. The model's folder, `saved_models/NAME`.
        data: str or None. Images to compare the export with the detector on; None takes the
            calibration images of the run, else its training images, else embedded photographs.
        warmup: bool. Write warm-up requests.
        data_licence: str. Licence of the training images, for the model card.
        pixel_limit: int or None. The served model refuses larger files; None is the run's limit.

    Returns:
        The folder of the version.
    """
    reading = run.config.data
    detector = run.load_detector()
    hashes = read_split(run.part(runs.SPLIT))
    files, files_from = _comparison_images(run, data, hashes)
    metrics = run.metrics
    thresholds = runs.read_thresholds(detector.calibration_summary())
    if metrics is not None and runs.read_thresholds(metrics) != thresholds:
        metrics = {"notes": {"threshold": "evaluated before the last calibration: left out"}}
    elif metrics is not None:
        metrics = {name: value for name, value in metrics.items() if name != "data"}  # a path
    return export_saved_model(
        detector,
        output,
        files=files,
        files_from=files_from,
        max_value=reading.max_value,
        pixel_limit=reading.pixel_limit if pixel_limit is None else pixel_limit,
        warmup=warmup,
        details={
            "data": {
                "name": Path(reading.path).name,
                "num_images": {part: len(known) for part, known in hashes.items()},
                "sha256": {part: _digest(known) for part, known in hashes.items()},
            },
            "metrics": metrics,
            "data_licence": data_licence,
        },
    )


def _comparison_images(run, data, hashes):
    """Returns images to compare an export on, none if there are none left, and what they are."""
    reading = run.config.data
    decoding = {"max_value": reading.max_value, "pixel_limit": reading.pixel_limit}
    if data is not None:
        records, problems = read_images(resolve_data(data), **decoding)
        if not records:
            reason = problems[0].message if problems else "It has none."
            raise InputError(f"{data} has no usable image to compare on. {reason}")
        return records, f"images of {Path(data).name}"
    try:
        good = read_category(resolve_data(reading.path), **decoding).good
    except InputError:  # the folder is gone
        return (), ""
    for parts in (("calibration",), ("train", "validation")):
        known = {content for part in parts for content in hashes[part]}
        records = [record for record in good if record.content_hash in known]
        if records:
            return records, f"{' and '.join(parts)} images of the run"
    return (), ""


def _digest(hashes):
    """One hash of the hashes of all files: the same for the same contents, in any order."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def open_test_data(run: runs.Run, detector: AnomalyDetector, data: str) -> Category:
    """Test images at the detector's size, and the images that the run was trained with.

    Of a plain folder, the images that the run has not seen are the (good) test images; of a
    category, those that were labelled for its training are left out. Where the
    training images are not there, as when other data is evaluated, the category has none.

    Raises:
        InputError: There is no test image, or the run has seen one of them.
    """
    config = run.config
    reading = config.data
    index = read_category(
        resolve_data(data),
        on_bad=reading.on_bad,
        pixel_limit=reading.pixel_limit,
        max_value=reading.max_value,
    )
    split_path = run.part(runs.SPLIT)
    if index.layout == "folder":
        seen = {content for part in read_split(split_path).values() for content in part}
        unseen = tuple(record for record in index.good if record.content_hash not in seen)
        index = dataclasses.replace(index, test=unseen)
    hashes = read_split(split_path)
    labelled = hashes.pop(LABELLED)
    left_out = tuple(record for record in index.test if record.content_hash in labelled)
    index = dataclasses.replace(index, test=without(index.test, labelled))
    if not index.test:
        raise InputError(
            f"{data} has no image that the run has not seen: give test images or further good "
            "images with --data, or look at single images with `kerasad predict`."
        )
    refuse_seen(index.test, hashes)
    try:
        split = restore_split(split_path, index.good, ("train", "validation"))
    except InputError:
        split = GoodSplit((), (), ())
    return Category(
        index,
        split,
        detector_geometry(detector),
        batch_size=reading.batch_size,
        seed=config.training.seed,
        crop_size=None if detector.tiles is None else detector.tiles.tile_size,
        cache_megabytes=0,
        labelled=left_out,
        max_value=reading.max_value,
        pixel_limit=reading.pixel_limit,
    )


def refuse_seen(records: Sequence[ImageRecord], hashes: dict[str, dict[str, str]]) -> None:
    """Refuses test images that trained, validated or calibrated the run.

    Args:
        records: The test images.
        hashes: As `read_split` returns them.

    Raises:
        InputError: The content of an image is in `hashes`; the message names the first one.
    """
    seen = {content: part for part, contents in hashes.items() for content in contents}
    known = [record for record in records if record.content_hash in seen]
    if known:
        raise InputError(
            f"{known[0].path}: this test image ({len(known)} of {len(records)}) is in the run's "
            f"{seen[known[0].content_hash]} part, and what a run has seen measures nothing; "
            "remove it from the test images, or train or calibrate without it."
        )


def detector_geometry(detector: AnomalyDetector) -> Geometry:
    """The frame that the detector's images are brought to."""
    return Geometry(*detector.image_size, keep_aspect=detector.keep_aspect)


def _train_seconds(run: runs.Run) -> tuple[float | None, str | None]:
    """How long the training took, or None and why: no metric depends on it."""
    path = run.path / runs.HISTORY
    if not path.is_file():
        return None, f"the run has no {runs.HISTORY}"
    try:
        return sum(read_history(path)["seconds"]), None
    except InputError as error:
        warnings.warn(f"The seconds of training are not known. {error}", stacklevel=2)
        return None, f"{runs.HISTORY} is damaged"
