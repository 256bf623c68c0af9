"""The report's sections about the test images: examples, and decisions over all of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasad.metrics.curves import pro_curve, roc_curve
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
from kerasad.report.collect import Collected
from kerasad.report.examples import Example, Group
from kerasad.report.page import Section

_PICTURE_PIXELS = 176
"""Shorter side of a picture, at least."""


def examples_section(groups: Sequence[Group], scale: ColourScale) -> Section:
    """Returns the images that went worst and best."""
    section = Section(
        "Images",
        "All maps share one colour scale, which comes from the calibration. Overlays outline what "
        "lies above the pixel threshold, white inside and black outside.",
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
    pictures["overlay"] = draw_overlay(example.image, example.anomaly_map, scale, factor)
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
        name: (*figures.thin(*roc_curve(counts.normal, counts.anomalous)), metrics.get(key))
        for name, key, counts in (
            ("image", "image_auroc", images),
            ("pixel", "pixel_auroc", pixels),
        )
        if np.any(counts.normal) and np.any(counts.anomalous)
    }
    if rocs:
        section.figures.append(figures.as_dict(figures.plot_roc(rocs), "ROC curves"))
    else:
        section.notes.append("There is no ROC curve without both good and defective images.")
    if "pixel" in rocs:
        curve = figures.thin(*pro_curve(pixels.normal, pixels.region_shares, pixels.num_regions))
        limit = metrics.get("aupro_fpr_limit") or pixels.fpr_limit
        pro = figures.plot_pro(*curve, metrics.get("aupro"), limit)
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
