"""The report's sections about a run: metrics, training, latent space, settings."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kerasad.errors import InputError
from kerasad.metrics.registry import MEASURES, Measure, headline_measures, quality_measures
from kerasad.report import figures
from kerasad.report.page import Section

_OTHER_NUMBERS = {
    "threshold": "threshold of the image score",
    "pixel_threshold": "threshold of the map",
    "num_images": "test images",
}


def metric_tiles(metrics: Mapping[str, Any] | None) -> list[dict]:
    """Returns the headline numbers."""
    if metrics is None:
        return []
    tiles = [
        {"name": measure.title, "value": measure.format(metrics.get(measure.name))}
        for measure in headline_measures()
    ]
    rate = metrics.get("false_alarm_rate") or {}
    return [*tiles, {"name": "false alarms", "value": _percent(rate.get("observed"))}]


def metrics_section(metrics: Mapping[str, Any] | None) -> Section:
    """Returns the table of `metrics.json`."""
    section = Section("Metrics")
    if metrics is None:
        section.notes.append("Not evaluated yet: run `kerasad evaluate` and then this again.")
        return section
    size = metrics.get("image_size")
    section.text = f"Compared at {'x'.join(map(str, size))} pixels. " if size else ""
    section.text += "No threshold, weight or epoch was chosen on these images."
    rows = [_measure_row(measure, metrics) for measure in quality_measures()]
    for key, text in {
        "false_alarm_rate": "false-alarm rate, {}",
        "review_rate": "good images that were not called good, {}",
        "needs_review": "to be reviewed, {} images",
    }.items():
        rates = metrics.get(key) or {}
        rows += [(text.format(name), _percent(rate)) for name, rate in rates.items()]
    rows += [(title, _show(metrics.get(name))) for name, title in _OTHER_NUMBERS.items()]
    costs = [measure for measure in MEASURES.values() if measure.kind == "cost"]
    rows += [_measure_row(measure, metrics) for measure in costs if measure.name in metrics]
    section.add_table("All defects", rows, header=["metric", "value"])
    if per_defect := metrics.get("per_defect"):
        columns = [measure for measure in quality_measures() if measure.per_defect]
        rows = [
            (
                defect,
                _show(values.get("num_images")),
                *(measure.format(values.get(measure.name)) for measure in columns),
            )
            for defect, values in per_defect.items()
        ]
        header = ["defect", "images", *(measure.title for measure in columns)]
        section.add_table("By defect", rows, header)
    section.notes = [f"{name}: {text}" for name, text in (metrics.get("notes") or {}).items()]
    return section


def training_section(
    load_history: Callable[[], Mapping[str, Sequence[float]] | None], warmup_steps: int
) -> Section:
    """Returns the losses and the synthetic localization over the epochs.

    Args:
        load_history: function that returns the columns of `history.csv`, or None without one. When
            it raises an `InputError`, its sentence takes the place of the curves.
        warmup_steps: int. Steps over which the weight of the KL term rose in training.
    """
    section = Section("Training")
    try:
        history = load_history()
    except InputError as error:
        section.notes.append(f"The curves cannot be shown. {error}")
        return section
    if not history:
        section.notes.append(
            "There is no history.csv: either nothing was trained or the file was removed."
        )
        return section
    if warmup_steps > 0 and "val_encoder_loss" in history:
        section.text = (
            f"During its first {warmup_steps} steps, training gives the KL term less weight (the "
            "weight rises from 0), while validation always gives it the full weight. Until then, "
            "the two curves of `encoder_loss`, and of every sum that holds it, cannot be compared."
        )
    drawn = {
        "The loss of each network and of each term over the epochs": figures.plot_losses(history),
        "IoU and pixel AUROC on synthetic defects over the epochs": figures.plot_synthetic(history),
    }
    section.figures = [
        figures.as_dict(figure, alt) for alt, figure in drawn.items() if figure is not None
    ]
    return section


def latent_section(
    embedded: Mapping[str, np.ndarray | None], groups: Sequence[str], text: str
) -> Section:
    """Returns the t-SNE of one or several runs.

    Args:
        embedded: for each run by its title, float array (points, 2), or None where there are too
            few points.
        groups: what each point is.
        text: str. What the points stand for.
    """
    section = Section("Latent space", text)
    for title, points in embedded.items():
        if points is None:
            section.notes.append(f"{title}: too few images for a t-SNE (five are needed).")
        else:
            figure = figures.plot_latent(points, groups, f"t-SNE: {title}")
            section.figures.append(figures.as_dict(figure, f"t-SNE of {title}"))
    return section


def run_section(
    config: Mapping[str, Any], calibration: Mapping[str, Any], split_sizes: Mapping[str, int]
) -> Section:
    """Returns the settings of a run.

    Args:
        config: content of `config.json`.
        calibration: content of `calibration.json`.
        split_sizes: number of images by the name of the part.
    """
    text = json.dumps(config, indent=2)
    short = hashlib.sha256(text.encode()).hexdigest()[:12]
    section = Section("Run", f"Hash of the configuration: {short}.")
    for name in ("data", "model", "training"):
        own = {key: value for key, value in config[name].items() if key != "arguments"}
        rows = _rows({**own, **config[name].get("arguments", {})})
        section.add_table(name.capitalize(), rows)
    own = {key: value for key, value in calibration.items() if key != "experts"}
    section.add_table("Calibration", _rows(own))
    if experts := calibration.get("experts"):
        rows = [
            (name, _show(weights.get("weight")), _show(weights.get("score_weight")))
            for name, weights in experts.items()
        ]
        header = ["expert", "weight in the map", "weight in the score"]
        section.add_table("Experts", rows, header)
    if split_sizes:
        section.add_table("Split", _rows(split_sizes), header=["part", "images"])
    section.details = {"title": "config.json", "text": text}
    return section


def _measure_row(measure: Measure, metrics: Mapping[str, Any]) -> tuple[str, str]:
    return f"{measure.title}: {measure.meaning}", measure.format(metrics.get(measure.name))


def _rows(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Returns names and values of a nested dict as texts."""
    rows = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += _rows(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", _show(value)))
    return rows


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_show(entry) for entry in value)
    return "none" if value is None else str(value)


def _percent(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " to ".join(_percent(entry) for entry in value)
    return "-" if value is None else f"{100 * value:.1f} %"
