"""The dict of `metrics.json`: as text to read, and as a strict JSON file."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasad.files import write_json
from kerasad.metrics.registry import MEASURES, quality_measures


class Metrics(dict):
    """The metrics that `evaluate` returns: a dict that prints as the table of the command line."""

    def __str__(self) -> str:
        return format_metrics_table(self)

    __repr__ = __str__  # for notebooks and the prompt


def write_metrics(path: str | Path, metrics: Mapping[str, Any]) -> None:
    """Writes strict JSON, all or nothing.

    NumPy values become plain ones. NaN and infinity, which JSON doesn't have, become null, and
    `notes` says so unless it already gives a reason.

    Args:
        path: str or Path. Replaced if it exists.
        metrics: dict as `evaluate` returns it.
    """
    notes = dict(metrics.get("notes") or {})
    plain = {key: _plain(value, key, notes) for key, value in metrics.items() if key != "notes"}
    write_json(path, {**plain, "notes": notes})


def _plain(value, key, notes):
    if isinstance(value, Mapping):
        return {str(name): _plain(part, f"{key}.{name}", notes) for name, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(part, f"{key}.{index}", notes) for index, part in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        notes.setdefault(key, f"not a finite number ({value})")
        return None
    return value


def format_metrics_table(metrics: Mapping[str, Any]) -> str:
    """Returns the metrics as lines of text for a terminal, undefined ones as "-" with the reason.

    Args:
        metrics: dict as `evaluate` returns it, or as read from `metrics.json`.

    Returns:
        text: str, without a newline at the end.
    """
    notes = metrics.get("notes") or {}
    intervals = metrics.get("intervals_95") or {}
    rows = []
    for measure in quality_measures():
        name, value, note = _row(measure, metrics, notes)
        rows.append((name, value, note or format_ends(intervals.get(name), measure.digits)))
    for kind in ("false_alarm_rate", "review_rate"):
        rates = metrics.get(kind)
        if rates is None and kind == "review_rate":  # most runs have no band
            continue
        rates = rates or {}
        for name in ("requested", "expected", "guaranteed", "interval_95", "observed"):
            value = (
                format_interval(rates) if name == "interval_95" else format_percent(rates.get(name))
            )
            note = notes.get(f"{kind}.{name}", "")
            if name == "observed" and not note:
                note = format_ends(intervals.get(kind), percent=True)
            rows.append((f"{kind} {name}", value, note))
    for name, share in (metrics.get("needs_review") or {}).items():
        row = (f"needs_review {name}", format_percent(share), notes.get(f"needs_review.{name}", ""))
        rows.append(row)
    rows.append(_row(MEASURES["milliseconds_per_image"], metrics, {}))
    lines = [_headline(metrics), "", *_columns(rows, left=(0, 2))]
    if per_defect := metrics.get("per_defect"):
        columns = list(dict.fromkeys(name for values in per_defect.values() for name in values))
        body = [
            (defect, *(_cell(name, values.get(name)) for name in columns))
            for defect, values in per_defect.items()
        ]
        lines += ["", *_columns([("defect", *columns), *body], left=(0,))]
    if without := metrics.get("defects_without_mask"):
        lines += ["", f"Left out of the pixel metrics, no usable mask: {', '.join(without)}"]
    if outside := metrics.get("defects_outside_roi"):
        lines += ["", f"Counted as good, defect outside the region: {', '.join(outside)}"]
    if vanished := metrics.get("vanished_regions"):
        lines += ["", f"Regions of masks that vanished when resized: {vanished}"]
    return "\n".join(lines)


def format_interval(rates: Mapping[str, Any]) -> str:
    """Returns the 95 % interval of the true rate, "about" where no rate is guaranteed.

    Args:
        rates: mapping of `guaranteed` and `interval_95`, as in `metrics.json`.
    """
    if rates.get("interval_95") is None:
        return "-"
    low, high = (100.0 * end for end in rates["interval_95"])
    about = "about " if rates.get("guaranteed") is None else ""
    return f"{about}{low:.1f} to {high:.1f} %"


def format_ends(interval: Sequence[float] | None, digits: int = 3, percent: bool = False) -> str:
    """Returns a 95 % interval of `intervals_95` in words; an empty text if there is none."""
    if interval is None:
        return ""
    if percent:
        low, high = (100.0 * end for end in interval)
        return f"{low:.1f} to {high:.1f} % (95 % interval)"
    low, high = interval
    return f"{low:.{digits}f} to {high:.{digits}f} (95 % interval)"


def _headline(metrics) -> str:
    counts = f"{metrics.get('num_images', 0)} test images"
    if "num_defective_images" in metrics:
        counts += f", {metrics['num_defective_images']} of them defective"
    size = metrics.get("image_size")
    return f"{counts}, compared at {'x'.join(map(str, size))} pixels" if size else counts


def _columns(rows, left) -> list[str]:
    """Pads the cells of each column to one width; columns in `left` are aligned to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if position in left else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _row(measure, metrics, notes):
    return measure.name, measure.format(metrics.get(measure.name)), notes.get(measure.name, "")


def _cell(name, value) -> str:
    return MEASURES[name].format(value) if name in MEASURES else str(value)


def format_percent(value: float | None) -> str:
    """Returns a share in percent, or "-" if it is undefined."""
    return "-" if value is None or not math.isfinite(value) else f"{100.0 * value:.1f} %"
