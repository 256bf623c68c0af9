"""One pass over the test set, and the examples of it that the report shows."""

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kerasad.data.geometry import unpack_inputs, without_padding
from kerasad.metrics import ImageMetrics, PixelMetrics
from kerasad.report.latents import MAX_POINTS, VectorReader


@dataclass(frozen=True)
class Example:
    """One test image with everything that was predicted for it.

    Args:
        name: str. Path relative to the data.
        defect: str. `good` or the defect's name.
        label: int. 0 good, 1 defective.
        score: float. The image's anomaly score.
        p_value: float. Share of good images expected to score at least as high.
        is_anomalous: bool. Whether it was decided to be defective.
        needs_review: bool. Whether it was not, but is in the review band.
        iou: float or None. Overlap of the thresholded map with the mask; None without a mask.
        image: float array (height, width, 3) in [0, 1].
        reconstruction: float array (height, width, 3), or None if the model has none.
        anomaly_map: float array (height, width, 1).
        mask: bool array (height, width), or None if unknown.
    """

    name: str
    defect: str
    label: int
    score: float
    p_value: float
    is_anomalous: bool
    needs_review: bool
    iou: float | None
    image: np.ndarray
    reconstruction: np.ndarray | None
    anomaly_map: np.ndarray
    mask: np.ndarray | None

    @property
    def called_good(self) -> bool:
        """Whether it was decided to be good."""
        return not (self.is_anomalous or self.needs_review)

    @property
    def verdict(self) -> str:
        """The decision, in words."""
        if self.is_anomalous:
            return "called defective"
        return "to be reviewed" if self.needs_review else "called good"


@dataclass
class Group:
    """The few examples of a kind that rank first; memory does not grow with the test set.

    Args:
        title: str. Heading.
        meaning: str. What is in it and in which order.
        belongs: function of an Example. Whether it is of this kind.
        rank: function of an Example. Small values come first.
        size: int. How many are kept.
    """

    title: str
    meaning: str
    belongs: Callable[[Example], bool]
    rank: Callable[[Example], float]
    size: int = 4
    total: int = 0
    examples: list[Example] = field(default_factory=list)

    def offer(self, example: Example) -> None:
        """Keeps the example if it is of this kind and ranks among the first."""
        if not self.belongs(example):
            return
        self.total += 1
        bisect.insort(self.examples, example, key=self.rank)
        del self.examples[self.size :]


def make_groups(size: int = 4, review: bool = False) -> list[Group]:
    """Returns the report's groups: errors first, then the review band, then what went well.

    Args:
        size: int. Examples of each.
        review: bool. Whether there is a review band.
    """

    def localized(example: Example) -> bool:
        return bool(example.label and example.is_anomalous and example.iou is not None)

    kinds = [
        (
            "False alarms",
            "Good images that were called defective, highest score first.",
            lambda example: not example.label and example.is_anomalous,
            lambda example: -example.score,
        ),
        (
            "Misses",
            "Defective images that were called good, lowest score first.",
            lambda example: example.label and example.called_good,
            lambda example: example.score,
        ),
        (
            "To be reviewed",
            "Images between the two thresholds, good or defective, highest score first.",
            lambda example: example.needs_review,
            lambda example: -example.score,
        ),
        (
            "Found, worst outlined",
            "Defects that were found, lowest IoU with the mask at the pixel threshold first.",
            lambda example: localized(example) and example.iou < 0.5,
            lambda example: example.iou,
        ),
        (
            "Best found",
            "Defects that were found, highest IoU with the mask at the pixel threshold first.",
            localized,
            lambda example: -example.iou,
        ),
        (
            "Quietest good images",
            "Good images that were called good, lowest score first.",
            lambda example: not example.label and example.called_good,
            lambda example: example.score,
        ),
    ]
    return [Group(*kind, size) for kind in kinds if review or kind[0] != "To be reviewed"]


def overlap(mask: np.ndarray, region: np.ndarray) -> float:
    """Returns the intersection over union of two bool arrays; 1 when both are empty."""
    union = np.count_nonzero(mask | region)
    return np.count_nonzero(mask & region) / union if union else 1.0


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
