"""One pass over the test set that keeps what the report shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasad.data.geometry import unpack_inputs, without_padding
from kerasad.metrics import ImageMetrics, PixelMetrics
from kerasad.report.examples import Example, Group, make_groups, overlap
from kerasad.report.latents import MAX_POINTS, VectorReader


@dataclass
class Collected:
    """What one pass over the test set left.

    Args:
        labels: int array (images,). 0 good, 1 defective.
        scores: float array (images,).
        decisions: bool array (images,). Decided to be defective.
        reviews: bool array (images,). Not that, but in the review band.
        groups: the examples to show.
        images: metric whose counts give the ROC curve of images.
        pixels: metric whose counts give the ROC curve of pixels and the PRO curve.
        vectors: for each reader by its title, float array (points, dimensions).
        vector_groups: what each point is, for example `test good` or a defect's name.
    """

    labels: np.ndarray
    scores: np.ndarray
    decisions: np.ndarray
    reviews: np.ndarray
    groups: list[Group]
    images: ImageMetrics
    pixels: PixelMetrics
    vectors: dict[str, np.ndarray]
    vector_groups: list[str]


def collect(detector, dataset, records: Sequence, readers: Mapping[str, VectorReader]) -> Collected:
    """Streams the test set through the detector.

    Args:
        detector: a calibrated `AnomalyDetector`.
        dataset: test dataset of (x, targets), as `Category.test`.
        records: sequence of ImageRecord that `targets["index"]` points into.
        readers: `VectorReader`s by title.
    """
    groups = make_groups(review=detector.review_threshold < detector.threshold)
    of_images, of_pixels = ImageMetrics(), PixelMetrics()
    columns = {"label": [], "anomaly_score": [], "is_anomalous": [], "needs_review": []}
    vectors, kinds = {title: [] for title in readers}, []
    for outputs, inputs, targets in detector.predict_stream(dataset):
        batch = _read_batch(detector, outputs, inputs, targets)
        maps, valid = batch["anomaly_map"], batch["valid"]
        weight = batch["has_mask"][:, None, None, None] * (1.0 if valid is None else valid)
        of_images.update_state(batch["label"], batch["anomaly_score"])
        of_pixels.update_state(
            batch["mask"], maps, sample_weight=np.broadcast_to(weight, maps.shape)
        )
        for name, column in columns.items():
            column.append(batch[name])
        chosen = [records[index] for index in batch["index"]]
        for row, record in enumerate(chosen):
            example = _make_example(record, batch, row)
            for group in groups:
                group.offer(example)
        if len(kinds) < MAX_POINTS:
            for title, reader in readers.items():
                vectors[title].append(reader.read(inputs, maps))
            kinds += [
                record.defect if record.label else f"test {record.defect}" for record in chosen
            ]
    labels, scores, decisions, reviews = map(np.concatenate, columns.values())
    return Collected(
        labels=labels,
        scores=scores,
        decisions=decisions.astype(bool),
        reviews=reviews.astype(bool),
        groups=groups,
        images=of_images,
        pixels=of_pixels,
        vectors={title: np.concatenate(parts) for title, parts in vectors.items()},
        vector_groups=kinds,
    )


def _read_batch(detector, outputs, inputs, targets) -> dict:
    """Returns all that is known of a batch as NumPy arrays by name; None for what there is not."""
    images, valid = unpack_inputs(inputs)
    parts = {**outputs, **targets, "images": images, "valid": valid}
    parts["reconstruction"] = detector.reconstruct(inputs)
    return {name: None if part is None else np.asarray(part) for name, part in parts.items()}


def _make_example(record, batch: dict, row: int) -> Example:
    own = {name: None if values is None else values[row] for name, values in batch.items()}
    names = ["images", "anomaly_map", "mask"]
    if own["reconstruction"] is not None:
        names.append("reconstruction")
    # Copies: a view would keep the whole batch alive.
    pictures = [part.copy() for part in without_padding(own["valid"], *(own[n] for n in names))]
    image, anomaly_map, mask, *reconstruction = pictures
    mask = mask[..., 0] > 0.5 if own["has_mask"] else None
    return Example(
        name=record.relative_path,
        defect=record.defect,
        label=int(record.label),
        score=float(own["anomaly_score"]),
        p_value=float(own["p_value"]),
        is_anomalous=bool(own["is_anomalous"]),
        needs_review=bool(own["needs_review"]),
        iou=None if mask is None else overlap(mask, anomaly_map[..., 0] > own["pixel_threshold"]),
        image=image,
        reconstruction=reconstruction[0] if reconstruction else None,
        anomaly_map=anomaly_map,
        mask=mask,
    )
