"""The tables of a report: metrics, settings, split, versions, the command that repeats a run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kerasad.metrics.registry import MEASURES, Measure, headline_measures, quality_measures
from kerasad.metrics.table import format_ends, format_interval, format_percent


@dataclass
class Section:
    """A part of the page; what is empty is left out.

    Args:
        title: str. Heading.
        text: str. Below the heading.
        notes: list of str. Things to know, each in a box of its own.
        tables: list of dicts of `title`, `header` (or None) and `rows`.
        details: dict of `title` and `text` that is folded, or None.
    """

    title: str
    text: str = ""
    notes: list[str] = field(default_factory=list)
    tables: list[dict] = field(default_factory=list)
    details: dict | None = None

    def add_table(self, title: str, rows: Sequence, header: Sequence[str] | None = None) -> None:
        """Adds a table of texts; the columns after the first are numbers if there is a header."""
        self.tables.append({"title": title, "header": header, "rows": rows})


_OTHER_NUMBERS = {
    "threshold": "threshold of the image score",
    "pixel_threshold": "threshold of the map",
    "num_images": "test images",
}


def metric_tiles(metrics: Mapping[str, Any] | None) -> list[dict]:
    """Returns the headline numbers, each with its 95 % interval.

    The IoU is the one at the threshold in force; the best that any threshold gives stands below.
    """
    if metrics is None:
        return []
    intervals = metrics.get("intervals_95") or {}
    best = MEASURES["iou_oracle"]
    tiles = [
        {
            "name": measure.title,
            "value": measure.format(metrics.get(measure.name)),
            "note": format_ends(intervals.get(measure.name), measure.digits),
        }
        for measure in headline_measures()
        if measure is not best
    ]
    pooled = MEASURES["iou_pooled"]
    iou = {
        "name": "IoU at the threshold in force",
        "value": pooled.format(metrics.get(pooled.name)),
        "note": f"{best.format(metrics.get(best.name))} at the threshold that is best here",
    }
    return [*tiles, iou]


def metrics_section(metrics: Mapping[str, Any] | None) -> Section:
    """Returns the table of `metrics.json`."""
    section = Section("Metrics")
    if metrics is None:
        section.notes.append("Not evaluated yet: run `kerasad evaluate` and then this again.")
        return section
    size = metrics.get("image_size")
    section.text = f"Compared at {'x'.join(map(str, size))} pixels. " if size else ""
    section.text += (
        "No threshold, weight or epoch was chosen on these images. Intervals of areas are of a "
        "bootstrap of the test images, those of shares are exact (Clopper and Pearson)."
    )
    intervals, notes = metrics.get("intervals_95") or {}, metrics.get("notes") or {}
    rows = []
    for each in quality_measures():
        remark = format_ends(intervals.get(each.name), each.digits) or notes.get(each.name, "")
        rows.append((*_measure_row(each, metrics), remark))
    for key, text in {
        "false_alarm_rate": "false-alarm rate, {}",
        "review_rate": "good images that were not called good, {}",
        "needs_review": "to be reviewed, {} images",
    }.items():
        rates = metrics.get(key) or {}
        for name, rate in rates.items():
            if name == "interval_95":
                rows.append((text.format("of calibrations"), "", format_interval(rates)))
            else:
                own = intervals.get(key) if name == "observed" else None
                rows.append(
                    (text.format(name), format_percent(rate), format_ends(own, percent=True))
                )
    rows += [(title, _show(metrics.get(name)), "") for name, title in _OTHER_NUMBERS.items()]
    costs = [measure for measure in MEASURES.values() if measure.kind == "cost"]
    rows += [
        (*_measure_row(each, metrics), notes.get(each.name, ""))
        for each in costs
        if each.name in metrics
    ]
    section.add_table("All defects", rows, header=["metric", "value", "95 % interval, or a remark"])
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
    if any(ends is not None and ends[0] == ends[1] for ends in intervals.values()):
        section.notes.append(
            "An interval without width says that each choice among these images gives the same "
            "value, not that further images would."
        )
    return section


def run_section(
    config: Mapping[str, Any],
    calibration: Mapping[str, Any],
    split_sizes: Mapping[str, int],
    versions: Mapping[str, str],
    command: str,
) -> Section:
    """Returns the settings of a run.

    Args:
        config: content of `config.json`.
        calibration: content of `calibration.json`.
        split_sizes: number of images by the name of the part.
        versions: of Python and packages by name.
        command: str. What trains the same run again.
    """
    text = json.dumps(config, indent=2)
    short = hashlib.sha256(text.encode()).hexdigest()[:12]
    section = Section("Run", f"Hash of the configuration: {short}.")
    if command:
        section.add_table("Repeat it", [(command,)])
    if split_sizes:
        section.add_table("Split", _rows(split_sizes), header=["part", "images"])
    own = {key: value for key, value in calibration.items() if key != "experts"}
    section.add_table("Calibration", _rows(own))
    if experts := calibration.get("experts"):
        rows = [
            (name, _show(weights.get("weight")), _show(weights.get("score_weight")))
            for name, weights in experts.items()
        ]
        header = ["expert", "weight in the map", "weight in the score"]
        section.add_table("Experts", rows, header)
    for name in ("training", "model", "data"):
        own = {key: value for key, value in config[name].items() if key != "arguments"}
        rows = _rows({**own, **config[name].get("arguments", {})})
        section.add_table(name.capitalize(), rows)
    section.add_table("Versions", _rows(versions))
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
        return ", ".join(_show(entry) for entry in value) or "none"
    return "none" if value is None else str(value)
