"""ROC, precision-recall and PRO curves with the point at the threshold in force."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kerasad.metrics.curves import precision_recall_curve, pro_curve, roc_curve
from kerasad.metrics.registry import MEASURES
from kerasad.report.charts import COLOURS, Axis, Chart, thin
from kerasad.report.collect import Collected


class Curve(NamedTuple):
    """A curve, and its point at the threshold in force.

    Args:
        x, y: float arrays (points,).
        point: pair of floats.
    """

    x: np.ndarray
    y: np.ndarray
    point: tuple[float, float]


_TITLES = {
    "roc": ("ROC, images", "false-alarm rate", "share of defective images found"),
    "pr": ("Precision and recall, images", "share of defective images found", "precision"),
    "pixel_roc": ("ROC, pixels", "false-positive rate", "true-positive rate"),
    "pixel_pr": ("Precision and recall, pixels", "recall", "precision"),
    "pro": ("PRO", "false-positive rate of pixels", "mean overlap per defect region"),
}
_AREAS = {"roc": "image_auroc", "pixel_roc": "pixel_auroc", "pro": "aupro"}
PRO_LIMIT = 0.3


def measure_curves(
    collected: Collected, threshold: float, pixel_threshold: float
) -> dict[str, Curve]:
    """Returns the curves by name, as far as there are both classes of images or of pixels.

    Args:
        collected: Collected.
        threshold, pixel_threshold: float. Those in force; what lies above them is flagged.
    """
    curves = {}
    for prefix, metric, limit in (
        ("", collected.image_metrics, threshold),
        ("pixel_", collected.pixel_metrics, pixel_threshold),
    ):
        counts = metric.counts()
        normal, anomalous = np.asarray(counts.normal), np.asarray(counts.anomalous)
        if not (normal.any() and anomalous.any()):
            continue
        above = np.asarray(metric.histogram.scores()) > limit
        false, true = normal[above].sum(), anomalous[above].sum()
        fpr, tpr = false / normal.sum(), true / anomalous.sum()
        precision = true / (true + false) if true + false else 1.0
        curves[f"{prefix}roc"] = Curve(*thin(*roc_curve(normal, anomalous)), (fpr, tpr))
        recall = precision_recall_curve(normal, anomalous)
        curves[f"{prefix}pr"] = Curve(*thin(*recall), (tpr, precision))
        if prefix:
            shares = np.asarray(counts.region_shares)
            curve = thin(*pro_curve(normal, shares, counts.num_regions))
            found = shares[above].sum() / float(counts.num_regions)
            curves["pro"] = Curve(*curve, (fpr, found))
    return curves


def draw_curves(
    runs: Mapping[str, Mapping[str, Curve]], metrics: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, Chart]]:
    """Returns the name and the chart of each kind of curve, those of all runs in one frame.

    Args:
        runs: for each run by its title, what `measure_curves` returns.
        metrics: for each run by its title, the content of `metrics.json`, for the areas.
    """
    charts = []
    for name, (title, across, up) in _TITLES.items():
        if not any(name in curves for curves in runs.values()):
            continue
        limit = PRO_LIMIT if name == "pro" else 1.0
        chart = Chart(title, Axis(across, 0.0, limit), Axis(up, 0.0, 1.0))
        if name.endswith("roc"):
            chart.add_line([0.0, 1.0], [0.0, 1.0], "chance", colour=-1, dash=True)
        for number, (run, curves) in enumerate(runs.items()):
            if name not in curves:
                continue
            x, y, point = curves[name]
            area = MEASURES[_AREAS[name]] if name in _AREAS else None
            value = None if area is None else metrics[run].get(area.name)
            label = run if len(runs) > 1 else ""
            if value is not None:
                limited = f" up to {limit:g}" if name == "pro" else ""
                label = f"{label}{', ' if label else ''}area{limited} {area.format(value)}"
            inside = x <= limit
            if name == "pro" and not inside.all() and inside.any():
                end = np.interp(limit, x, y)
                x, y = np.append(x[inside], limit), np.append(y[inside], end)
            chart.add_line(x, y, label, number % COLOURS)
            if point[0] <= limit:
                text = f"at the threshold: {point[0]:.3g}, {point[1]:.3g}"
                mark = f"{run}: {text}" if len(runs) > 1 else text
                chart.add_mark(*point, mark, number % COLOURS, f"{name}-{number}")
        charts.append((name, chart))
    return charts
