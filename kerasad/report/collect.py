"""One pass over the images of a report: what was decided of each, counts for curves, codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kerasad.data.region import without_outside
from kerasad.detector.region import find_counting
from kerasad.metrics import ImageMetrics, PixelMetrics
from kerasad.report.latents import MAX_POINTS, VectorReader


@dataclass(frozen=True)
class ScoredImage:
    """One image and what the detector says of it.

    Args:
        name: str. Path relative to the data.
        content_hash: str. SHA-256 of the file, by which other runs know the same image.
        defect: str. `good` or the defect's name.
        label: int. 0 good, 1 defective.
        score: float. The image's anomaly score.
        p_value: float. Share of good images expected to score at least as high.
        is_anomalous: bool. Whether it was decided to be defective.
        needs_review: bool. Whether it was not, but is in the review band.
        iou: float or None. Overlap of the thresholded map with the mask; None without a mask.
    """

    name: str
    content_hash: str
    defect: str
    label: int
    score: float
    p_value: float
    is_anomalous: bool
    needs_review: bool
    iou: float | None

    @property
    def called_good(self) -> bool:
        """Whether it was decided to be good."""
        return not (self.is_anomalous or self.needs_review)

    @property
    def is_error(self) -> bool:
        """Whether it is a false alarm or a miss; what is to be reviewed is neither."""
        return self.called_good if self.label else self.is_anomalous

    @property
    def decision(self) -> str:
        """The decision, in a word."""
        return "defective" if self.is_anomalous else "review" if self.needs_review else "good"


def overlap(mask: np.ndarray, region: np.ndarray) -> float:
    """Returns the intersection over union of two bool arrays; 1 when both are empty."""
    union = np.count_nonzero(mask | region)
    return np.count_nonzero(mask & region) / union if union else 1.0


@dataclass(frozen=True)
class Collected:
    """What one pass left. Memory grows by the numbers of an image, not by its pixels.

    Args:
        images: list of ScoredImage, in the order of the records.
        image_metrics: metric whose counts give the curves of images.
        pixel_metrics: metric whose counts give the curves of pixels and the PRO curve.
        vectors: for each kind of `VectorReader.read`, float array `(points, dimensions)` of the
            first `MAX_POINTS` images; empty without a reader.
    """

    images: list[ScoredImage]
    image_metrics: ImageMetrics
    pixel_metrics: PixelMetrics
    vectors: dict[str, np.ndarray]


def collect(detector, dataset, records: Sequence, reader: VectorReader | None = None) -> Collected:
    """Streams images through the detector.

    Args:
        detector: a calibrated `AnomalyDetector`.
        dataset: dataset of (x, targets), as `Category.test`.
        records: sequence of ImageRecord that `targets["index"]` points into.
        reader: `VectorReader` or None.
    """
    of_images, of_pixels = ImageMetrics(), PixelMetrics()
    images: list[ScoredImage] = []
    vectors: dict[str, list] = {}
    for outputs, inputs, targets in detector.predict_stream(dataset):
        batch = {name: np.asarray(part) for name, part in {**outputs, **targets}.items()}
        counts = find_counting(detector, inputs, batch["anomaly_map"])
        batch = without_outside(batch, counts)
        weight = batch["has_mask"][:, None, None, None] * counts
        of_images.update_state(batch["label"], batch["anomaly_score"])
        of_pixels.update_state(batch["mask"], batch["anomaly_map"], sample_weight=weight)
        if reader is not None and len(images) < MAX_POINTS:
            for kind, values in reader.read(inputs, batch["anomaly_map"]).items():
                vectors.setdefault(kind, []).append(values)
        images += [
            _score_image(records[index], batch, counts, row)
            for row, index in enumerate(batch["index"])
        ]
    joined = {kind: np.concatenate(parts) for kind, parts in vectors.items()}
    return Collected(images, of_images, of_pixels, joined)


def _score_image(record, batch: Mapping[str, np.ndarray], counts, row: int) -> ScoredImage:
    iou, label = None, int(batch["label"][row])
    if batch["has_mask"][row]:
        real = counts[row] > 0.5
        above = (batch["anomaly_map"][row] > batch["pixel_threshold"][row]) & real
        iou = overlap((batch["mask"][row] > 0.5) & real, above)
    return ScoredImage(
        name=record.relative_path,
        content_hash=record.content_hash,
        # A defect outside the region of interest does not count.
        defect=record.defect if label == record.label else "good",
        label=label,
        score=float(batch["anomaly_score"][row]),
        p_value=float(batch["p_value"][row]),
        is_anomalous=bool(batch["is_anomalous"][row]),
        needs_review=bool(batch["needs_review"][row]),
        iou=iou,
    )
