"""`report.html`: what runs were, how they went and where they fail, in one file."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasad.errors import InputError
from kerasad.metrics.registry import MEASURES, headline_measures
from kerasad.metrics.table import format_ends, format_percent
from kerasad.report.charts import Chart, draw_losses, draw_synthetic
from kerasad.report.curves import Curve, draw_curves
from kerasad.report.images import ImagesPart, ShownImages, show_images
from kerasad.report.page import render
from kerasad.report.promise import compare_with_promise, describe_counts, describe_promise
from kerasad.report.sections import Section, metric_tiles, metrics_section, run_section
from kerasad.training.config import RunConfig
from kerasad.version import __version__

PAGE_BYTES = 14_500_000
"""Bytes of a page at most, whatever the number of images."""

History = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class RunFacts:
    """What a report says of a run apart from its images.

    Args:
        name: str. Name of the run's folder.
        path: str. The folder, as commands name it.
        config: RunConfig.
        calibration: content of `calibration.json`.
        metrics: content of `metrics.json`, or None before the first evaluation.
        split_sizes: number of images by the name of the part.
        versions: of Python and packages by name.
        command: str. What trains the same run again.
        notes: sentences that stand at the top.
    """

    name: str
    path: str
    config: RunConfig
    calibration: Mapping[str, Any]
    metrics: Mapping[str, Any] | None
    split_sizes: Mapping[str, int]
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    notes: Sequence[str] = ()

    @property
    def title(self) -> str:
        """The model and the run."""
        return f"{self.config.model.name} ({self.name})"


@dataclass(frozen=True)
class RunView:
    """A run as a report reads it.

    Args:
        facts: RunFacts.
        detector: the run's calibrated `AnomalyDetector`.
        load_images: function that returns `ShownImages`. When it raises an `InputError`, its
            sentence takes the place of the images.
        load_history: function that returns the columns of `history.csv`, or None without one. When
            it raises an `InputError`, its sentence takes the place of the curves.
    """

    facts: RunFacts
    detector: Any
    load_images: Callable[[], ShownImages]
    load_history: Callable[[], History | None]


@dataclass(frozen=True)
class Report:
    """A page, and the same for programs.

    Args:
        html: str.
        summary: dict, ready for JSON.
        rows: list of dicts, one of each image.
    """

    html: str
    summary: dict[str, Any]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class _RunPage:
    """What the template says of one run."""

    facts: RunFacts
    images: ImagesPart | None
    problem: str | None
    verdict: str
    promise: str
    comparison: tuple[str, bool] | None
    tiles: list[dict]
    training: "TrainingPart"
    sections: list[Section]

    @property
    def title(self) -> str:
        return self.facts.title


@dataclass(frozen=True)
class TrainingPart:
    """The curves of a training.

    Args:
        charts: list of Chart.
        text: str.
        problem: str or None. Why there are none.
    """

    charts: list[Chart]
    text: str = ""
    problem: str | None = None


def build_report(views: Iterable[RunView], num_runs: int = 1) -> Report:
    """Returns the report of one run, or of several side by side.

    Args:
        views: iterable of `RunView`. Each is done with before the next one is asked for, so that
            one detector at a time is in memory.
        num_runs: int. How many there are; they share the pictures and bytes of a page.
    """
    runs = [_read_run(view, num_runs) for view in views]
    curves: dict[str, Mapping[str, Curve]] = {
        run.title: {} if run.images is None else run.images.curves for run in runs
    }
    first = runs[0]
    config = first.facts.config
    html = render(
        title=f"{Path(config.data.path).name}: "
        + " and ".join(dict.fromkeys(run.facts.config.model.name for run in runs)),
        heading=Path(config.data.path).name,
        subtitle=_describe_run(first.facts) if len(runs) == 1 else f"{len(runs)} runs side by side",
        runs=runs,
        table_of_runs=_comparison_table(runs) if len(runs) > 1 else None,
        charts=draw_curves(curves, {run.title: run.facts.metrics or {} for run in runs}),
        data={"runs": [None if run.images is None else run.images.data for run in runs]},
        footer=f"Written by kerasad {__version__}; this page needs no other file and no network.",
    )
    rows = [
        {"run": run.facts.name, **row}
        for run in runs
        if run.images is not None
        for row in run.images.rows
    ]
    return Report(html, {"runs": [_summarize(run) for run in runs]}, rows)


def _read_run(view: RunView, num_runs: int) -> _RunPage:
    facts, rate = view.facts, view.facts.calibration.get("false_alarm_rate") or {}
    images, problem, comparison = None, None, None
    verdict = "No image was looked at."
    try:
        shown = view.load_images()
    except InputError as error:
        problem = f"Images cannot be shown. {error}"
    else:
        with shown.category.name_bad_files():
            images = show_images(view.detector, shown, facts.path, num_runs, PAGE_BYTES // num_runs)
        verdict = describe_counts(images.counts)
        if shown.are_tests:
            comparison = compare_with_promise(images.counts, rate, images.num_calibration_scores)
        else:
            verdict = (
                "There is no test image, so nothing is known of errors. Below are "
                f"{images.counts.good} good photos, the most unusual first."
            )
    return _RunPage(
        facts=facts,
        images=images,
        problem=problem,
        verdict=verdict,
        promise=describe_promise(rate),
        comparison=comparison,
        tiles=metric_tiles(facts.metrics),
        training=read_training(view.load_history, view.detector.model.warmup_steps),
        sections=[
            metrics_section(facts.metrics),
            run_section(
                facts.config.to_dict(),
                facts.calibration,
                facts.split_sizes,
                facts.versions,
                facts.command,
            ),
        ],
    )


def read_training(load_history: Callable[[], History | None], warmup_steps: int) -> TrainingPart:
    """Returns the losses and the synthetic localization over the epochs.

    Args:
        load_history: see `RunView`.
        warmup_steps: int. Steps over which the weight of the KL term rose in training.
    """
    try:
        history = load_history()
    except InputError as error:
        return TrainingPart([], problem=f"The curves cannot be shown. {error}")
    if not history:
        text = "There is no history.csv: either nothing was trained or the file was removed."
        return TrainingPart([], text)
    text = ""
    if warmup_steps > 0 and "val_encoder_loss" in history:
        text = (
            f"During its first {warmup_steps} steps, training gives the KL term less weight (the "
            "weight rises from 0), while validation always gives it the full weight. Until then, "
            "the two curves of the encoder loss, and of every sum that holds it, cannot be "
            "compared."
        )
    synthetic = draw_synthetic(history)
    return TrainingPart(([] if synthetic is None else [synthetic]) + draw_losses(history), text)


def _describe_run(facts: RunFacts) -> str:
    config = facts.config
    epochs = config.training.epochs
    parts = [config.model.name, f"image size {config.data.image_size}"]
    parts += [] if epochs is None else [f"{epochs} epochs"]
    return ", ".join([*parts, f"seed {config.training.seed}", config.data.path])


def _comparison_table(runs: Sequence[_RunPage]) -> dict:
    """Returns the headline numbers of all runs, one column each."""
    rows: list[tuple[str, ...]] = [
        ("model", *(run.facts.config.model.name for run in runs)),
        ("seed", *(str(run.facts.config.training.seed) for run in runs)),
        (
            "images",
            *(_count(run, lambda c: f"{c.good} good, {c.defective} defective") for run in runs),
        ),
        ("false alarms", *(_count(run, _false_alarms) for run in runs)),
        ("misses", *(_count(run, _misses) for run in runs)),
        ("promised false-alarm rate", *(_promised(run) for run in runs)),
    ]
    for measure in (*headline_measures(), MEASURES["iou_pooled"]):
        cells = []
        for run in runs:
            metrics = run.facts.metrics or {}
            ends = (metrics.get("intervals_95") or {}).get(measure.name)
            text = measure.format(metrics.get(measure.name))
            cells.append(f"{text}, {format_ends(ends, measure.digits)}" if ends else text)
        rows.append((measure.title, *cells))
    seen = {
        tuple(sorted(image.content_hash for image in run.images.scored))
        for run in runs
        if run.images is not None
    }
    note = "" if len(seen) < 2 else "The runs were measured on different images: compare with care."
    return {"title": "", "header": ["", *(run.title for run in runs)], "rows": rows, "note": note}


def _count(run: _RunPage, describe) -> str:
    return "-" if run.images is None else describe(run.images.counts)


def _false_alarms(counts) -> str:
    ends = format_ends(counts.false_alarm_interval, percent=True)
    return f"{counts.false_alarms} of {counts.good}" + (f", {ends}" if ends else "")


def _misses(counts) -> str:
    ends = format_ends(counts.miss_interval, percent=True)
    return f"{counts.misses} of {counts.defective}" + (f", {ends}" if ends else "")


def _promised(run: _RunPage) -> str:
    rate = run.facts.calibration.get("false_alarm_rate") or {}
    if rate.get("expected") is None:
        return "none"
    return f"{format_percent(rate['expected'])}{'' if rate.get('guaranteed') else ', expected'}"


def _summarize(run: _RunPage) -> dict[str, Any]:
    facts, images = run.facts, run.images
    return {
        "name": facts.name,
        "path": facts.path,
        "model": facts.config.model.name,
        "verdict": run.verdict,
        "promise": run.promise,
        "comparison": None if run.comparison is None else run.comparison[0],
        "agrees_with_promise": None if run.comparison is None else run.comparison[1],
        "problem": run.problem,
        "images": None if images is None else images.summary(),
        "metrics": facts.metrics,
        "calibration": facts.calibration,
        "config": facts.config.to_dict(),
        "split": dict(facts.split_sizes),
        "versions": dict(facts.versions),
        "command": facts.command,
        "notes": list(facts.notes),
    }
