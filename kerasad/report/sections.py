"""The report's sections: metrics, images, decisions, training, latent space, settings."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerasad.errors import InputError
from kerasad.metrics.curves import pro_curve, roc_curve
from kerasad.metrics.histogram_metrics import AUPRO, ImageAUROC, PixelAUROC
from kerasad.metrics.registry import MEASURES, Measure, headline_measures, quality_measures
from kerasad.metrics.table import format_interval, format_percent
from kerasad.overlay import (
    ColourScale,
    draw_colours,
    draw_overlay,
    enlarge,
    enlargement,
    palette,
    to_uint8,
)
from kerasad.report import figures
from kerasad.report.collect import Collected, Example, Group

_PICTURE_PIXELS = 176
"""Shorter side of a picture, at least."""


@dataclass
class Section:
    """A part of the page; what is empty is left out.

    Args:
        title: str. Heading.
        text: str. Below the heading.
        notes: list of str. Things to know, each in a box of its own.
        tables: list of dicts of `title`, `header` (or None) and `rows`.
        figures: list of dicts of `uri` and `alt`.
        groups: list of dicts of `title`, `meaning`, `total`, `header` and `rows` of examples.
        details: dict of `title` and `text` that is folded, or None.
    """

    title: str
    text: str = ""
    notes: list[str] = field(default_factory=list)
    tables: list[dict] = field(default_factory=list)
    figures: list[dict] = field(default_factory=list)
    groups: list[dict] = field(default_factory=list)
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
    """Returns the headline numbers."""
    if metrics is None:
        return []
    tiles = [
        {"name": measure.title, "value": measure.format(metrics.get(measure.name))}
        for measure in headline_measures()
    ]
    rate = metrics.get("false_alarm_rate") or {}
    return [*tiles, {"name": "false alarms", "value": format_percent(rate.get("observed"))}]


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
        for name, rate in rates.items():
            if name == "interval_95":
                rows.append((text.format("95 % interval"), format_interval(rates)))
            else:
                rows.append((text.format(name), format_percent(rate)))
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


def examples_section(groups: Sequence[Group], scale: ColourScale) -> Section:
    """Returns the images that went worst and best."""
    section = Section(
        "Images",
        "All maps share one colour scale, which comes from the calibration. Overlays outline what "
        "lies above the pixel threshold, white inside and black outside. An image that is called "
        "good has no outline; one that is called defective has at least that around its peak.",
    )
    legend = figures.plot_scale(palette(), scale.low, scale.threshold, scale.high)
    section.figures.append(figures.as_dict(legend, "Colour scale of the maps"))
    for group in groups:
        pictures = [_draw_pictures(example, scale) for example in group.examples]
        section.groups.append(
            {
                "title": group.title,
                "meaning": group.meaning,
                "total": group.total,
                "header": list(pictures[0]) if pictures else [],
                "rows": [
                    {"example": example, "pictures": _cells(own, example.name)}
                    for example, own in zip(group.examples, pictures, strict=True)
                ],
            }
        )
    if any(example.reconstruction is None for group in groups for example in group.examples):
        section.text += " The model makes no reconstruction of an image."
    return section


def _draw_pictures(example: Example, scale: ColourScale) -> dict[str, np.ndarray | None]:
    """Returns uint8 pictures by their heading; the mask is None where it is unknown."""
    factor = enlargement(*example.image.shape[:2], wanted=_PICTURE_PIXELS).numpy()
    pictures = {"input": to_uint8(enlarge(example.image, factor))}
    if example.reconstruction is not None:
        pictures["reconstruction"] = to_uint8(enlarge(example.reconstruction, factor))
    pictures["anomaly map"] = draw_colours(enlarge(example.anomaly_map, factor), scale)
    pictures["overlay"] = draw_overlay(
        example.image,
        example.anomaly_map,
        scale,
        factor,
        example.is_anomalous,
        example.needs_review,
    )
    pictures = {kind: picture.numpy() for kind, picture in pictures.items()}
    mask = example.mask
    if mask is not None:
        mask = np.kron(mask.astype("uint8") * 255, np.ones((factor, factor), "uint8"))
    return {**pictures, "mask": mask}


def _cells(pictures: Mapping[str, np.ndarray | None], name: str) -> list[dict]:
    return [
        {"uri": None, "alt": f"no {kind}"}
        if picture is None
        else {"uri": figures.image_uri(picture), "alt": f"{kind} of {name}"}
        for kind, picture in pictures.items()
    ]


def decision_section(
    collected: Collected, metrics: Mapping[str, Any], threshold: float, review_threshold: float
) -> Section:
    """Returns ROC and PRO curves, the histogram of scores and the counts at the thresholds."""
    section = Section("Detection and localization on the test set")
    labels, scores = collected.labels, collected.scores
    good, defective = scores[labels == 0], scores[labels == 1]
    images, pixels = collected.images.counts(), collected.pixels.counts()
    rocs = {
        name: (*figures.thin(*roc_curve(counts.normal, counts.anomalous)), metrics.get(auroc.key))
        for name, auroc, counts in (("image", ImageAUROC, images), ("pixel", PixelAUROC, pixels))
        if np.any(counts.normal) and np.any(counts.anomalous)
    }
    if rocs:
        section.figures.append(figures.as_dict(figures.plot_roc(rocs), "ROC curves"))
    else:
        section.notes.append("There is no ROC curve without both good and defective images.")
    if "pixel" in rocs:
        curve = figures.thin(*pro_curve(pixels.normal, pixels.region_shares, pixels.num_regions))
        limit = metrics.get("aupro_fpr_limit") or pixels.fpr_limit
        pro = figures.plot_pro(*curve, metrics.get(AUPRO.key), limit)
        section.figures.append(figures.as_dict(pro, "Per-region overlap curve"))
    else:
        section.notes.append("There are no pixel curves without a mask that marks a defect.")
    histogram = figures.plot_scores(good, defective, threshold, review_threshold)
    section.figures.append(figures.as_dict(histogram, "Histogram of image scores"))
    called = {
        "called good": ~(collected.decisions | collected.reviews),
        "to be reviewed": collected.reviews,
        "called defective": collected.decisions,
    }
    if review_threshold == threshold:
        called.pop("to be reviewed")
    rows = [
        (name, *(int(np.sum(chosen[labels == label])) for chosen in called.values()))
        for label, name in enumerate(["good", "defective"])
    ]
    section.add_table("Decisions", rows, header=["truth", *called])
    return section
