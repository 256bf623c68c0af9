"""The verb `report`: runs on one page, and the same for programs."""

import csv
import importlib.metadata
import json
import platform
import shlex
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasad.data.earlier_results import UNUSUAL
from kerasad.data.split import DEFECTIVE, PARTS
from kerasad.detector import AnomalyDetector
from kerasad.errors import InputError
from kerasad.files import replace_file, write_json
from kerasad.report.build import Report, RunFacts, RunView, build_report
from kerasad.report.images import ShownImages
from kerasad.report.page import check_report_possible
from kerasad.runs.evaluate import evaluated_data, open_good_photos, open_test_data
from kerasad.runs.folder import (
    CONFIG,
    DETECTOR,
    HISTORY,
    REPORT,
    REPORT_SUMMARY,
    REPORT_TABLE,
    lock_run,
)
from kerasad.runs.result_files import safe_cell
from kerasad.runs.run import Run, write_summaries
from kerasad.runs.unusual import read_unusual
from kerasad.training.callbacks import read_history

_PACKAGES = ("kerasad", "keras", "tensorflow", "numpy", "scipy", "pillow", "scikit-learn")
_COLUMNS = ("run", "path", "defect", "label", "anomaly_score", "p_value", "decision", "iou")


def report_run(run: Run, *others: Run) -> Path:
    """Writes `report.html`, `report.json` and `report.csv`; where images are missing, it says so.

    Args:
        run: Run. The files are written into its folder.
        *others: Run. Further runs, shown side by side with it.

    Returns:
        Path of the page.

    Raises:
        InputError: A part of a run is missing or damaged, a run is named twice, or another command
            is changing `run`.
    """
    check_report_possible()
    runs = (run, *others)
    paths = [each.path.resolve() for each in runs]
    if len(set(paths)) < len(paths):
        raise InputError(f"{run.path} and the other runs must differ: name each run once.")
    with lock_run(run.path):
        report = build_report(_views(runs), len(runs))
        _write(run.path, report)
    return run.path / REPORT


def _write(folder: Path, report: Report) -> None:
    table = folder / REPORT_TABLE
    with replace_file(table) as work, work.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, _COLUMNS)
        rows.writeheader()
        rows.writerows(
            {name: safe_cell(value) for name, value in row.items()} for row in report.rows
        )
    write_json(folder / REPORT_SUMMARY, report.summary)
    with replace_file(folder / REPORT) as work:
        work.write_text(report.html, encoding="utf-8")


def _views(runs: Sequence[Run]) -> Iterator[RunView]:
    # Images that one of the runs learned from are not test images of the others either.
    labelled: set[str] = set()
    if len(runs) > 1:
        labelled = {name for run in runs for name in run.provenance.hashes(*DEFECTIVE)}
    names = [run.path.name for run in runs]
    for run in runs:
        detector = run.load_detector()
        if run is runs[0]:
            write_summaries(detector, run.path)
        name = run.path.name if names.count(run.path.name) == 1 else str(run.path)

        def load_images(run=run, detector=detector) -> ShownImages:
            return _open_images(run, detector, labelled)

        def load_history(path=run.path / HISTORY):
            return read_history(path) if path.is_file() else None

        yield RunView(_read_facts(run, detector, name), detector, load_images, load_history)


def _open_images(run: Run, detector: AnomalyDetector, exclude) -> ShownImages:
    data = evaluated_data(run)
    try:
        return ShownImages(open_test_data(run, detector, data, exclude))
    except InputError as no_test:
        note = str(no_test)
        try:
            category = open_good_photos(run, detector)
        except InputError:
            raise no_test from None
    if detector.provenance.crosswise:
        note += (
            " The detector has learned from the photos below, so they score lower than new ones "
            "would. The most unusual by statistics that had not seen them come first."
        )
    remarks = {}
    noted = read_unusual(run.path / UNUSUAL)
    for record in category.index.test:
        if record.path in noted:
            remarks[record.content_hash] = noted[record.path]
    return ShownImages(category, are_tests=False, note=note, remarks=remarks)


def _read_facts(run: Run, detector: AnomalyDetector, name: str) -> RunFacts:
    metrics, calibration = run.metrics, detector.calibration_summary()
    notes = []
    if metrics is not None and metrics.get("calibration_id") != calibration["calibration_id"]:
        notes.append(
            "The run was calibrated again after its evaluation: the metrics belong to the earlier "
            "thresholds. Run `kerasad evaluate` and then this again."
        )
    path = shlex.quote(str(run.path))
    config = shlex.quote(str(run.path / CONFIG))
    return RunFacts(
        name=name,
        path=path,
        config=run.config,
        calibration=calibration,
        metrics=metrics,
        split_sizes={part: len(detector.provenance.hashes(part)) for part in (*PARTS, *DEFECTIVE)},
        versions=_versions(run),
        command=f"kerasad train {shlex.quote(run.config.data.path)} --config {config} --output NEW",
        notes=notes,
    )


def _versions(run: Run) -> Mapping[str, Any]:
    """Returns the versions of what writes this report, and of Keras when the run was saved."""
    versions = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    try:
        with zipfile.ZipFile(run.path / DETECTOR) as archive:
            saved = json.loads(archive.read("metadata.json"))
        versions["keras, when the run was saved"] = str(saved["keras_version"])
        versions["saved"] = str(saved["date_saved"])
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        versions["keras, when the run was saved"] = "not known"
    return versions
