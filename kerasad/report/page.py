"""What stands on the report's page: sections of text, tables, figures and example rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np

from kerasad.detector.colour_scale import ColourScale
from kerasad.metrics.curves import pro_curve, roc_curve
from kerasad.metrics.registry import MEASURES, headline_measures, quality_measures
from kerasad.overlay import (
    draw_colours,
    draw_overlay,
    enlarge,
    enlargement,
    palette,
    to_uint8,
)
from kerasad.report import figures
from kerasad.report.collect import Collected
from kerasad.report.examples import Example, Group

OTHER_NUMBERS = {
    "threshold": "threshold of the image score",
    "pixel_threshold": "threshold of the map",
    "num_images": "test images",
}


@dataclass
class Section:
    """A part of the page; what is empty is left out."""

    title: str
    text: str = ""
    notes: list[str] = field(default_factory=list)
    tables: list[dict] = field(default_factory=list)
    figures: list[dict] = field(default_factory=list)
    groups: list[dict] = field(default_factory=list)
    details: dict | None = None


def render(title: str, subtitle: str, sections: Sequence[Section], **values: Any) -> str:
    """Fills the template; all text is escaped, and nothing is fetched from anywhere."""
    import jinja2

    text = resources.files("kerasad.report").joinpath("template.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(text)
    return template.render(title=title, subtitle=subtitle, sections=sections, **values)


def metric_tiles(metrics: Mapping[str, Any] | None) -> list[dict]:
    """The headline numbers."""
    if metrics is None:
        return []
    tiles = [
        {"name": measure.title, "value": measure.format(metrics.get(measure.name))}
        for measure in headline_measures()
    ]
    rate = metrics.get("false_alarm_rate") or {}
    return tiles + [{"name": "false alarms", "value": _percent(rate.get("observed"))}]


def metrics_section(metrics: Mapping[str, Any] | None) -> Section:
    """The table of `metrics.json`."""
    section = Section("Metrics")
    if metrics is None:
        section.notes.append("Not evaluated yet: run `kerasad evaluate` and then this again.")
        return section
    size = metrics.get("image_size")
    section.text = f"Compared at {'x'.join(map(str, size))} pixels. " if size else ""
    section.text += "No threshold, weight or epoch was chosen on these images."
    rate = metrics.get("false_alarm_rate") or {}
    rows = [_measure_row(measure, metrics) for measure in quality_measures()]
    rows += [(f"false-alarm rate, {name}", _percent(value)) for name, value in rate.items()]
    rate = metrics.get("review_rate") or {}
    rows += [(f"good, but not called good, {name}", _percent(rate[name])) for name in rate]
    shares = metrics.get("needs_review") or {}
    rows += [(f"to be looked at, {name} images", _percent(shares[name])) for name in shares]
    rows += [(title, _number(metrics.get(name))) for name, title in OTHER_NUMBERS.items()]
    costs = [measure for measure in MEASURES.values() if measure.kind == "cost"]
    rows += [_measure_row(measure, metrics) for measure in costs if measure.name in metrics]
    section.tables.append({"title": "All defects", "header": ["metric", "value"], "rows": rows})
    if per_defect := metrics.get("per_defect"):
        columns = [measure for measure in quality_measures() if measure.per_defect]
        header = ["defect", "images", *(measure.title for measure in columns)]
        rows = [
            (
                defect,
                _number(values.get("num_images")),
                *(measure.format(values.get(measure.name)) for measure in columns),
            )
            for defect, values in per_defect.items()
        ]
        section.tables.append({"title": "By defect", "header": header, "rows": rows})
    section.notes = [str(note) for note in _notes(metrics.get("notes"))]
    return section


def curves_section(
    history: Mapping[str, Sequence[float]] | None, kl_warmup_steps: int = 0
) -> Section:
    """Losses and synthetic localization over the epochs.

    Args:
        history: columns of `history.csv`, or None.
        kl_warmup_steps: int. Steps over which the weight of the KL term rose in training.
    """
    section = Section("Training")
    if not history:
        section.notes.append("The run has no history.csv.")
        return section
    if kl_warmup_steps > 0 and "val_encoder_loss" in history:
        section.text = (
            "In `encoder_loss` and every other sum that holds it, training weighs the KL term less "
            f"during its first {kl_warmup_steps} steps (the weight rises from 0), validation "
            "always in full: until then the two curves are not the same quantity."
        )
    drawn = {
        "The loss of each network and of each term over the epochs": figures.plot_losses(history),
        "IoU and pixel AUROC on synthetic defects over the epochs": figures.plot_synthetic(history),
    }
    section.figures = [_figure(figure, alt) for alt, figure in drawn.items() if figure is not None]
    return section


def decision_section(
    collected: Collected, metrics: Mapping[str, Any], threshold: float, review_threshold: float
) -> Section:
    """ROC and PRO curves, the histogram of scores and the counts at the thresholds."""
    section = Section("Detection and localization on the test set")
    labels, scores = collected.labels, collected.scores
    good, defective = scores[labels == 0], scores[labels == 1]
    rocs = {}
    if len(good) and len(defective):
        counts = collected.images.counts()
        curve = figures.thin(*roc_curve(counts.normal, counts.anomalous))
        rocs["image"] = (*curve, metrics.get("image_auroc"))
    counts = collected.pixels.counts()
    if np.any(counts.normal) and np.any(counts.anomalous):
        curve = figures.thin(*roc_curve(counts.normal, counts.anomalous))
        rocs["pixel"] = (*curve, metrics.get("pixel_auroc"))
        limit = metrics.get("aupro_fpr_limit") or counts.fpr_limit
        curve = figures.thin(*pro_curve(counts.normal, counts.region_shares, counts.num_regions))
        pro = figures.plot_pro(*curve, metrics.get("aupro"), limit)
    if rocs:
        section.figures.append(_figure(figures.plot_roc(rocs), "ROC curves"))
    else:
        section.notes.append("There is no ROC curve without both good and defective images.")
    if "pixel" in rocs:
        section.figures.append(_figure(pro, "Per-region overlap curve"))
    else:
        section.notes.append("There are no pixel curves without a mask that marks a defect.")
    histogram = figures.plot_scores(good, defective, threshold, review_threshold)
    section.figures.append(_figure(histogram, "Histogram of image scores"))
    called = {
        "called good": ~(collected.decisions | collected.reviews),
        "to be looked at": collected.reviews,
        "called defective": collected.decisions,
    }
    title = "Decisions at the thresholds"
    if review_threshold == threshold:
        called.pop("to be looked at")
        title = "Decisions at the threshold"
    rows = [
        (name, *(int(np.sum(chosen[labels == label])) for chosen in called.values()))
        for label, name in enumerate(["good", "defective"])
    ]
    section.tables.append({"title": title, "header": ["truth", *called], "rows": rows})
    return section


def latent_section(
    embedded: Mapping[str, np.ndarray | None], groups: Sequence[str], note: str
) -> Section:
    """The t-SNE of the latent means of one or several runs, by title."""
    section = Section("Latent space", note)
    for title, points in embedded.items():
        if points is None:
            section.notes.append(f"{title}: too few images for a t-SNE (five are needed).")
        else:
            figure = figures.plot_latent(points, groups, f"Latent means, t-SNE: {title}")
            section.figures.append(_figure(figure, f"t-SNE of the latent means, {title}"))
    return section


def examples_section(groups: Sequence[Group], scale: ColourScale) -> Section:
    """The images that went worst and best."""
    section = Section(
        "Images",
        "All maps share one colour scale, which comes from the calibration. Overlays outline what "
        "lies above the pixel threshold, white inside and black outside.",
    )
    legend = figures.plot_scale(palette(), scale.low, scale.threshold, scale.high)
    section.figures.append(_figure(legend, "Colour scale of the maps"))
    section.groups = [
        {
            "title": group.title,
            "meaning": group.meaning,
            "total": group.total,
            "rows": [_example_row(example, scale) for example in group.examples],
        }
        for group in groups
    ]
    return section


def _example_row(example: Example, scale: ColourScale) -> dict:
    factor = enlargement(*example.image.shape[:2], wanted=176).numpy()
    anomaly_map = example.anomaly_map[..., None]
    pictures = {
        "input": to_uint8(enlarge(example.image, factor)),
        "reconstruction": to_uint8(enlarge(example.reconstruction, factor)),
        "anomaly map": draw_colours(enlarge(anomaly_map, factor), scale),
        "overlay": draw_overlay(example.image, anomaly_map, scale, factor),
    }
    cells = [
        {"uri": figures.image_uri(picture.numpy()), "alt": f"{kind} of {example.name}"}
        for kind, picture in pictures.items()
    ]
    if example.mask is None:
        cells.append({"uri": None, "alt": "no mask"})
    else:
        mask = np.kron(example.mask.astype("uint8") * 255, np.ones((factor, factor), "uint8"))
        cells.append({"uri": figures.image_uri(mask), "alt": f"mask of {example.name}"})
    return {
        "name": example.name,
        "defect": example.defect,
        "score": f"{example.score:.3f}",
        "p_value": f"{example.p_value:.3f}",
        "verdict": _verdict(example),
        "iou": f"{example.iou:.2f}" if example.label and example.iou is not None else None,
        "pictures": cells,
    }


def _verdict(example: Example) -> str:
    if example.is_anomalous:
        return "called defective"
    return "to be looked at" if example.needs_review else "called good"


def _figure(figure, alt: str) -> dict:
    return {"uri": figures.png_uri(figure), "alt": alt}


def _measure_row(measure, metrics: Mapping[str, Any]) -> tuple[str, str]:
    return f"{measure.title}: {measure.meaning}", measure.format(metrics.get(measure.name))


def _notes(notes: Any) -> list:
    if isinstance(notes, Mapping):
        return [f"{name}: {text}" for name, text in notes.items()]
    return list(notes or [])


def _number(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def _percent(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " to ".join(_percent(entry) for entry in value)
    return "none" if value is None else f"{100 * value:.1f} %"
