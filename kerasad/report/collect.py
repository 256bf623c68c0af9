"""One pass over the test set that keeps what the report shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import pack_inputs
from kerasad.metrics import ImageMetrics, PixelMetrics
from kerasad.report.examples import Example, Group, make_groups, overlap
from kerasad.tracing import compiled

MAX_LATENTS = 1000
"""Latent codes kept for t-SNE, whose cost grows faster than the number of its points."""


@dataclass
class Collected:
    """What one pass over the test set left.

    Args:
        labels: int array (images,). 0 good, 1 defective.
        scores: float array (images,).
        decisions: bool array (images,). Called defective.
        reviews: bool array (images,). Not that, but to be looked at.
        groups: the examples to show.
        images: metric whose counts give the ROC curve of images.
        pixels: metric whose counts give the ROC curve of pixels and the PRO curve.
        latents: float array (points, latent_dim), or None.
        latent_groups: what each of `latents` is, for example `good` or a defect's name.
    """

    labels: np.ndarray
    scores: np.ndarray
    decisions: np.ndarray
    reviews: np.ndarray
    groups: list[Group]
    images: ImageMetrics
    pixels: PixelMetrics
    latents: np.ndarray | None
    latent_groups: list[str]


def collect(detector, dataset, records: Sequence, read_latents) -> Collected:
    """Streams the test set through the detector.

    Args:
        detector: a calibrated `AnomalyDetector`.
        dataset: test dataset of (x, targets), as `Category.test`.
        records: sequence of ImageRecord that `targets["index"]` points into.
        read_latents: function as `make_latent_reader` returns it.
    """
    review = detector.review_threshold < detector.threshold
    groups, of_images, pixels = make_groups(review=review), ImageMetrics(), PixelMetrics()
    labels, scores, decisions, reviews, latents, kinds = [], [], [], [], [], []
    for outputs, inputs, targets in detector.predict_stream(dataset):
        outputs = {name: np.asarray(value) for name, value in outputs.items()}
        targets = {name: np.asarray(value) for name, value in targets.items()}
        images, valid = numpy_inputs(inputs)
        known = targets["has_mask"].astype("float32")[:, None, None, None]
        weight = known if valid is None else known * valid
        pixels.update_state(
            targets["mask"],
            outputs["anomaly_map"],
            sample_weight=np.broadcast_to(weight, targets["mask"].shape),
        )
        of_images.update_state(targets["label"], outputs["anomaly_score"])
        labels.append(targets["label"])
        scores.append(outputs["anomaly_score"])
        decisions.append(outputs["is_anomalous"])
        reviews.append(outputs["needs_review"])
        chosen = [records[index] for index in targets["index"]]
        outputs["reconstruction"] = np.asarray(detector.reconstruct(inputs))
        for position, record in enumerate(chosen):
            example = _make_example(record, position, outputs, images, valid, targets)
            for group in groups:
                group.offer(example)
        if len(kinds) < MAX_LATENTS:
            latents.append(read_latents(inputs, outputs["anomaly_map"]))
            kinds.extend(
                f"test {record.defect}" if not record.label else record.defect for record in chosen
            )
    return Collected(
        labels=np.concatenate(labels),
        scores=np.concatenate(scores),
        decisions=np.concatenate(decisions).astype(bool),
        reviews=np.concatenate(reviews).astype(bool),
        groups=groups,
        images=of_images,
        pixels=pixels,
        latents=np.concatenate(latents),
        latent_groups=kinds,
    )


def make_latent_reader(model) -> Callable[..., np.ndarray]:
    """A compiled function that reads the latent means of images.

    Where the latent has places, it averages over them. A model that was trained on crops sees the
    crop around the peak of the map: what made the image's score.

    Args:
        model: the trained network, with `tensors` and `image_shape`.

    Returns:
        function of model inputs and, where their images exceed the model's size, of their maps
        (batch, height, width, 1), to a float array (batch, latent_dim).
    """
    height, width = model.image_shape[:2]

    # In a graph, what the latent doesn't need of the model's other tensors isn't computed.
    def encode(inputs):
        means = model.tensors(inputs)["z_mean"]
        return tf.reduce_mean(means, axis=tuple(range(1, len(means.shape) - 1)))

    encode = compiled(encode, reduce_retracing=True)

    def read(inputs, anomaly_map: np.ndarray | None = None) -> np.ndarray:
        images, valid = numpy_inputs(inputs)
        if images.shape[1:3] != (height, width):
            pairs = zip(images, anomaly_map, strict=True)
            images = np.stack([_crop_around_peak(*pair, height, width) for pair in pairs])
        elif getattr(model, "cell_grid", None) is not None:
            images = pack_inputs(images, valid)
        return encode(images).numpy()

    return read


def numpy_inputs(inputs) -> tuple[np.ndarray, np.ndarray | None]:
    """Images and `valid` (or None) of a model input, as numpy arrays."""
    if isinstance(inputs, dict):
        return np.asarray(inputs["images"]), np.asarray(inputs["valid"])
    return np.asarray(inputs), None


def _make_example(record, position, outputs, images, valid, targets) -> Example:
    anomaly_map = outputs["anomaly_map"][position, ..., 0]
    image, reconstruction = images[position], outputs["reconstruction"][position]
    mask = targets["mask"][position, ..., 0] > 0.5 if targets["has_mask"][position] else None
    if valid is not None:  # padding is below and right of the picture: cut it off
        rows, columns = (int(valid[position].any(axis).sum()) for axis in ((1, 2), (0, 2)))
        image, reconstruction = image[:rows, :columns], reconstruction[:rows, :columns]
        anomaly_map = anomaly_map[:rows, :columns]
        mask = None if mask is None else mask[:rows, :columns]
    region = anomaly_map > outputs["pixel_threshold"][position]
    return Example(
        name=record.relative_path,
        defect=record.defect,
        label=int(record.label),
        score=float(outputs["anomaly_score"][position]),
        p_value=float(outputs["p_value"][position]),
        is_anomalous=bool(outputs["is_anomalous"][position]),
        needs_review=bool(outputs["needs_review"][position]),
        iou=None if mask is None else overlap(mask, region),
        # Copies: a view would keep the whole batch alive.
        image=image.copy(),
        reconstruction=reconstruction.copy(),
        anomaly_map=anomaly_map.copy(),
        mask=mask,
    )


def _crop_around_peak(image: np.ndarray, values: np.ndarray, height: int, width: int):
    row, column, _ = np.unravel_index(np.argmax(values), values.shape)
    top = int(np.clip(row - height // 2, 0, image.shape[0] - height))
    left = int(np.clip(column - width // 2, 0, image.shape[1] - width))
    return image[top : top + height, left : left + width]
