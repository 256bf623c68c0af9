"""The verb `report`: a run on one page."""

from pathlib import Path

from kerasad.data import Category
from kerasad.data.split import LABELLED, PARTS
from kerasad.detector import AnomalyDetector
from kerasad.files import replace_file
from kerasad.report.build import RunFacts, build_report, check_report_possible
from kerasad.runs.evaluate import evaluated_data, open_test_data
from kerasad.runs.folder import HISTORY, REPORT, lock_run
from kerasad.runs.run import Run, write_summaries
from kerasad.training.callbacks import read_history


def report_run(run: Run, beside: Run | None = None) -> Path:
    """Writes `report.html`; where images are missing, the page says so.

    Args:
        run: Run.
        beside: Run or None. Another run on the same images, to show its latent space too.

    Returns:
        Path of the page.

    Raises:
        InputError: A part of a run is missing or damaged, or another command is changing the run.
    """
    check_report_possible()
    with lock_run(run.path):
        return _report(run, beside)


def _report(run, beside):
    detector = run.load_detector()
    write_summaries(detector, run.path)
    facts = _read_facts(run, detector)
    models = {}
    if beside is not None:
        title = f"{beside.config.model.name} ({beside.path.name})"
        if title == facts.title:  # two folders of one name
            title = f"{beside.config.model.name} ({beside.path})"
        models[title] = beside.load_model()

    def load_data() -> Category:
        # Images that the other run learned from are not test images either.
        exclude = () if beside is None else beside.provenance.hashes(LABELLED)
        return open_test_data(run, detector, evaluated_data(run), exclude)

    def load_history():
        path = run.path / HISTORY
        return read_history(path) if path.is_file() else None

    text = build_report(facts, detector, load_data, load_history, models)
    with replace_file(run.path / REPORT) as work:
        work.write_text(text, encoding="utf-8")
    return run.path / REPORT


def _read_facts(run: Run, detector: AnomalyDetector) -> RunFacts:
    metrics, calibration = run.metrics, detector.calibration_summary()
    notes = [calibration["note"]] if calibration.get("note") else []
    if metrics is not None and metrics.get("calibration_id") != calibration["calibration_id"]:
        notes.append(
            "The run was calibrated again after its evaluation: the metrics belong to the earlier "
            "thresholds. Run `kerasad evaluate` and then this again."
        )
    return RunFacts(
        name=run.path.name,
        config=run.config,
        calibration=calibration,
        metrics=metrics,
        split_sizes={part: len(detector.provenance.hashes(part)) for part in (*PARTS, LABELLED)},
        notes=notes,
    )
