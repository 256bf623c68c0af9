"""Every number that an evaluation reports: name, title, digits, direction, and how it is computed.

`metrics.json`, the printed table, the report and the benchmark tables all read it here. To add a
metric, write a `HistogramMetric` or a `ThresholdMetric` in a file of its own and register it below.
"""

import math
from dataclasses import dataclass
from typing import Literal

from kerasad.metrics.histogram_metrics import (
    AUPRO,
    HistogramMetric,
    ImageAUROC,
    ImageF1Max,
    OracleIoU,
    PixelAUROC,
    PixelF1Max,
)
from kerasad.metrics.threshold_metrics import (
    BalancedAccuracy,
    DetectionRate,
    PerImageIoU,
    PooledIoU,
    ThresholdMetric,
)


@dataclass(frozen=True)
class Measure:
    """One number of an evaluation.

    Args:
        name: str. Its key in `metrics.json`.
        title: str. Its heading in tables.
        meaning: str. What it is, for a legend.
        kind: "image" or "pixel" (a metric of scores or of maps), or "cost" (time or memory).
        metric: class that computes it. A `HistogramMetric` is read off the counts that all metrics
            of its kind share; a `ThresholdMetric` counts at the detector's threshold of that kind.
            None for a cost, which is measured elsewhere.
        digits: int. Digits after the point in tables.
        larger_is_better: bool.
        headline: bool. Whether it is in tables that show only the most important numbers.
        per_defect: bool. Whether it is also given for each kind of defect.
    """

    name: str
    title: str
    meaning: str
    kind: Literal["image", "pixel", "cost"]
    metric: type[HistogramMetric] | type[ThresholdMetric] | None = None
    digits: int = 3
    larger_is_better: bool = True
    headline: bool = False
    per_defect: bool = False

    @property
    def heading(self) -> str:
        """The title, with an arrow that points to the better side."""
        return f"{self.title} {'↑' if self.larger_is_better else '↓'}"

    @property
    def at_threshold(self) -> bool:
        """Whether it depends on the detector's threshold."""
        return self.metric is not None and issubclass(self.metric, ThresholdMetric)

    def format(self, value: float | None, undefined: str = "-") -> str:
        """Returns a value as text for a table."""
        if value is None or not math.isfinite(value):
            return undefined
        return f"{value:.{self.digits}f}"


MEASURES: dict[str, Measure] = {}


def register(measure: Measure) -> None:
    """Adds a measure: from then on it is in `metrics.json`, the printed table and the report.

    Raises:
        ValueError: There is one of this name.
    """
    if measure.name in MEASURES:
        raise ValueError(f"There is a measure named {measure.name!r} already.")
    MEASURES[measure.name] = measure


def quality_measures() -> list[Measure]:
    """Returns the metrics of scores and maps, in the order of tables."""
    return [measure for measure in MEASURES.values() if measure.kind != "cost"]


def shared_measures(kind: str) -> list[Measure]:
    """Returns the metrics of a kind that are read off shared counts."""
    own = [measure for measure in quality_measures() if measure.kind == kind]
    return [measure for measure in own if not measure.at_threshold]


def headline_measures() -> list[Measure]:
    """Returns the most important metrics."""
    return [measure for measure in MEASURES.values() if measure.headline]


def _metric(metric, title, meaning, kind, **options):
    register(Measure(metric.key, title, meaning, kind, metric, **options))


def _cost(name, title, meaning, digits):
    register(Measure(name, title, meaning, "cost", digits=digits, larger_is_better=False))


_metric(
    ImageAUROC,
    "image AUROC",
    "chance that a defective image scores above a good one",
    "image",
    headline=True,
    per_defect=True,
)
_metric(
    PixelAUROC,
    "pixel AUROC",
    "chance that an anomalous pixel scores above a normal one",
    "pixel",
    headline=True,
    per_defect=True,
)
_metric(
    AUPRO,
    "AUPRO",
    "mean overlap per defect region, up to a false-positive rate of pixels",
    "pixel",
    headline=True,
    per_defect=True,
)
_metric(ImageF1Max, "image F1, best", "at the threshold that is best on these images", "image")
_metric(PixelF1Max, "pixel F1, best", "at the threshold that is best on these images", "pixel")
_metric(
    OracleIoU,
    "IoU, best",
    "pixels pooled, at the threshold that is best on these images",
    "pixel",
    headline=True,
)
_metric(PooledIoU, "IoU, pooled", "pixels pooled, at the pixel threshold", "pixel")
_metric(
    PerImageIoU, "IoU, per image", "mean over defective images, at the pixel threshold", "pixel"
)
_metric(
    BalancedAccuracy,
    "balanced accuracy",
    "mean of the shares of good and of defective images that are decided rightly",
    "image",
)
_metric(DetectionRate, "detection rate", "share of defective images called defective", "image")
_cost("fit_seconds", "fit s", "all that `kerasad train` does", 1)
_cost("train_seconds", "epochs s", "the training of the network alone", 1)
_cost("milliseconds_per_image", "ms per image", "from memory, without compiling", 1)
_cost("fit_memory_mb", "fit MB", "peak memory of `kerasad train`", 0)
_cost("peak_memory_mb", "evaluate MB", "peak memory of `kerasad evaluate`", 0)
_cost("model_mb", "model MB", "size of `detector.keras`", 1)
