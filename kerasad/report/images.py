"""The images of one run in a report: counts, curves, histogram, pictures, map of codes."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kerasad.data.category import Category
from kerasad.overlay import ColourScale
from kerasad.report.charts import Chart, draw_latent
from kerasad.report.choosing import MAX_PICTURES, rank_images
from kerasad.report.collect import Collected, ScoredImage, collect
from kerasad.report.curves import Curve, measure_curves
from kerasad.report.histogram import draw_histogram
from kerasad.report.latents import KINDS, MAX_POINTS, MEAN, VectorReader, embed
from kerasad.report.page import pack
from kerasad.report.pictures import draw_pictures
from kerasad.report.promise import Counts
from kerasad.report.threshold import threshold_numbers

MAX_ROWS = 20_000
"""Images that a page lists by name; all of them are counted, and are in the CSV."""
_REST_BYTES = 800_000
"""For style, script, charts and tables."""


@dataclass(frozen=True)
class ShownImages:
    """The images of a report.

    Args:
        category: Category whose `index.test` they are.
        are_tests: bool. Whether they are test images; else they are good photos of the training.
        note: str or None. What the user should know of them.
        remarks: mapping from content hash to a dict of `text` and `overlay` (the path of a
            picture, or None): what was said of an image before.
    """

    category: Category
    are_tests: bool = True
    note: str | None = None
    remarks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class ImagesPart:
    """What a report says of the images of a run.

    Args:
        scored: list of `ScoredImage`.
        are_tests: bool. See `ShownImages`, also for `note`.
        note: str or None.
        counts: Counts at the threshold in force.
        curves: dict of Curve by name.
        histogram: Chart.
        latents: list of Chart.
        latent_text: str.
        scale: ColourScale of the maps.
        num_calibration_scores: int.
        data: dict for the script.
    """

    scored: list[ScoredImage]
    are_tests: bool
    note: str | None
    counts: Counts
    curves: dict[str, Curve]
    histogram: Chart
    latents: list[Chart]
    latent_text: str
    scale: ColourScale
    num_calibration_scores: int
    data: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dict of each image, for a table."""
        return [
            {
                "path": image.name,
                "defect": image.defect,
                "label": image.label,
                "anomaly_score": image.score,
                "p_value": round(image.p_value, 6),
                "decision": image.decision,
                "iou": None if image.iou is None else round(image.iou, 4),
            }
            for image in self.scored
        ]

    def summary(self) -> dict[str, Any]:
        """Returns the counts and every image, ready for JSON."""
        counts = self.counts
        return {
            "are_test_images": self.are_tests,
            "good": counts.good,
            "false_alarms": counts.false_alarms,
            "false_alarm_interval_95": counts.false_alarm_interval,
            "defective": counts.defective,
            "misses": counts.misses,
            "miss_interval_95": counts.miss_interval,
            "to_be_reviewed": counts.good_to_review + counts.defective_to_review,
            "list": self.rows,
        }


def show_images(detector, shown: ShownImages, path: str, num_runs: int, budget: int) -> ImagesPart:
    """Passes over all images once, and over those with pictures again.

    Args:
        detector: a calibrated `AnomalyDetector`.
        shown: ShownImages.
        path: str. The run's folder, for a command that the page names.
        num_runs: int. Runs that share the page.
        budget: int. Bytes that the images of this run may take on the page.
    """
    category = shown.category
    records = category.index.test
    reader = VectorReader(detector.model, detector.region)
    reader = None if reader.meaning is None else reader
    collected = collect(detector, category.test, records, reader)
    images = collected.images
    order = rank_images(images, detector.threshold)
    order.sort(key=lambda place: images[place].content_hash not in shown.remarks)
    rows = [_row(place, images[place]) for place in order[: MAX_ROWS // num_runs]]
    data = _numbers(detector, images, path, shown.are_tests)
    spent = len(json.dumps([data, rows])) + _REST_BYTES
    scale = ColourScale(detector.pixel_threshold)
    chosen = order[: MAX_PICTURES // num_runs]
    pictures = draw_pictures(
        detector,
        category.test_of([records[place] for place in chosen]),
        [images[place] for place in chosen],
        scale,
        max(budget - spent, 0),
    )
    for row, place, drawn in zip(rows, chosen, pictures, strict=False):
        row["p"] = drawn
        remark = shown.remarks.get(images[place].content_hash)
        if remark is not None:
            row["x"] = remark["text"]
            if remark.get("overlay") is not None:
                row["p"] = {"left-out overlay": _read_png(remark["overlay"]), **drawn}
    # Nobody knows where a crop lies in a region, so that it would show what is outside.
    with_train = bool(category.split.train) and (detector.region is None or detector.tiles is None)
    charts, text = _draw_latents(reader, category, collected, with_train)
    good, defective = (_scores(images, label) for label in (0, 1))
    thresholds = detector.threshold, detector.review_threshold
    return ImagesPart(
        scored=images,
        are_tests=shown.are_tests,
        note=shown.note,
        counts=Counts.of(images),
        curves=measure_curves(collected, detector.threshold, detector.pixel_threshold),
        histogram=draw_histogram(good, defective, detector.decision.stored_scores(), *thresholds),
        latents=charts,
        latent_text=text,
        scale=scale,
        num_calibration_scores=len(detector.decision.stored_scores()),
        data={**data, "rows": rows},
    )


def _scores(images, label) -> np.ndarray:
    return np.array([image.score for image in images if image.label == label], "float32")


def _row(place: int, image: ScoredImage) -> dict[str, Any]:
    row: dict[str, Any] = {"i": place, "n": image.name, "h": image.content_hash[:16]}
    if image.label and image.iou is not None:
        row["u"] = round(image.iou, 3)
    return row


def _numbers(detector, images, path: str, is_test: bool) -> dict[str, Any]:
    """Returns what the script counts with; scores are exact, so that it decides as the detector."""
    kinds = sorted({(image.label, image.defect) for image in images})
    number = {kind: place for place, kind in enumerate(kinds)}
    return {
        **threshold_numbers(detector, path),
        "scores": pack([image.score for image in images], "float32"),
        "kinds": pack([number[image.label, image.defect] for image in images], "uint16"),
        "kindNames": [{"label": label, "name": name} for label, name in kinds],
        "isTest": is_test,
    }


def _draw_latents(
    reader, category, collected: Collected, with_train: bool
) -> tuple[list[Chart], str]:
    if reader is None:
        return [], "The model has neither a latent nor features: there is no t-SNE."
    images = collected.images
    num_tests = len(collected.vectors[MEAN])
    groups = [
        image.defect if image.label else f"test {image.defect}" for image in images[:num_tests]
    ]
    places: list[int | None] = list(range(num_tests))
    charts, order = [], ["training, good", *sorted(set(groups), key=str.casefold)]
    for kind, vectors in collected.vectors.items():
        own_groups, own_places = groups, places
        if kind == MEAN and with_train:
            train = reader.read_dataset(category.train, MAX_POINTS // 4)
            vectors = np.concatenate([train, vectors])
            own_groups = ["training, good"] * len(train) + groups
            own_places = [None] * len(train) + places
        points = embed(vectors)
        if points is not None:
            charts.append(draw_latent(points, own_groups, own_places, KINDS[kind], order))
    text = f"{reader.meaning}, as a t-SNE: neighbours are alike, distances mean little. "
    if tuple(category.image_shape) != tuple(category.full_shape):
        text += "Of an image, the crop around the peak of its map; of training images, crops. "
    if not charts:
        text += "There are too few images: it needs five."
    return charts, text


def _read_png(path: Path) -> str:
    """Returns a picture that was drawn before, as WebP in base64."""
    from PIL import Image

    from kerasad.report.pictures import encode_within

    with Image.open(path) as image:
        drawn = encode_within({"": np.asarray(image.convert("RGB"))}, 40_000)
    return drawn.get("", base64.b64encode(b"").decode())
