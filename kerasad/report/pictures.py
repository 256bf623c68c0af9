"""The pictures of a report: drawn at one size and one colour scale, encoded within a budget."""

import base64
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasad.data.geometry import unpack_inputs, without_padding
from kerasad.overlay import ColourScale, draw_colours, draw_overlay, to_uint8
from kerasad.report.collect import ScoredImage
from kerasad.tracing import compiled_for_batches

SIDE = 320
"""Side of a square picture in pixels; others have the same area."""
_LADDER = (
    (1.0, 80, 1.0),
    (1.0, 60, 0.7),
    (0.8, 45, 0.4),
    (0.6, 35, 0.2),
    (0.4, 25, 0.08),
    (0.25, 10, 0.02),
)
"""Size and quality, from what is wanted to what fits anywhere, and about which share of bytes."""
_EXPERT_SIDE = 200
_ATTENTION = ("anomalous_attention", "inattention")
"""Experts that calibrate a model's attention, so that a good part looks as cold as in its map."""


def draw_pictures(
    detector, dataset, images: Sequence[ScoredImage], scale: ColourScale, budget: int
) -> list[dict[str, str]]:
    """Returns for each image its pictures by kind, WebP in base64.

    The kinds are `input`, `overlay`, `map`, `mask`, `reconstruction` and `attention`, as far as
    there are any, and `expert NAME` for the map of each of several experts.

    Args:
        detector: a calibrated `AnomalyDetector`.
        dataset: dataset of (x, targets) of these images, as `Category.test_of`.
        images: sequence of `ScoredImage`, in the order that `targets["index"]` counts.
        scale: ColourScale of all maps.
        budget: int. Bytes of all texts together.
    """
    explain = compiled_for_batches(detector.explain)
    names = [expert.name for expert in detector.experts]
    own = 3 * budget // (4 * max(len(images), 1))  # base64 makes four bytes of three
    drawn: list[dict[str, str]] = [{} for _ in images]
    with ThreadPoolExecutor(2) as pool:
        for inputs, targets in dataset:
            pixels, valid = unpack_inputs(inputs)
            batch = {**targets, **explain(inputs), "input": pixels, "valid": valid}
            batch = {
                name: None if part is None else np.asarray(part) for name, part in batch.items()
            }
            rows = range(len(pixels))
            pictures = [
                _draw(batch, row, images[batch["index"][row]], names, scale) for row in rows
            ]
            encoded = pool.map(lambda each: encode_within(each, own), pictures)
            for row, texts in zip(rows, encoded, strict=True):
                drawn[batch["index"][row]] = texts
    return drawn


def _draw(batch: Mapping, row: int, image: ScoredImage, experts, scale) -> dict[str, np.ndarray]:
    kinds = ["input", "anomaly_map", "expert_maps", "mask", "reconstruction"]
    kinds = [kind for kind in kinds if batch[kind] is not None]
    valid = None if batch["valid"] is None else batch["valid"][row]
    parts = without_padding(valid, *(batch[kind][row] for kind in kinds))
    own = {
        kind: _resize(part, _EXPERT_SIDE if kind == "expert_maps" else SIDE, kind == "mask")
        for kind, part in zip(kinds, parts, strict=True)
    }
    anomaly_map = own["anomaly_map"]
    pictures = {
        "input": to_uint8(own["input"]),
        "overlay": draw_overlay(
            own["input"], anomaly_map, scale, 1, image.is_anomalous, image.needs_review
        ),
        "map": draw_colours(anomaly_map, scale),
    }
    if image.label and batch["has_mask"][row]:
        pictures["mask"] = to_uint8(own["mask"])[..., 0]
    if "reconstruction" in own:
        pictures["reconstruction"] = to_uint8(own["reconstruction"])
    maps = {name: own["expert_maps"][..., place : place + 1] for place, name in enumerate(experts)}
    for name in _ATTENTION:
        if name in maps:
            pictures.setdefault("attention", draw_colours(maps[name], scale))
    if len(experts) > 1:
        for name, values in maps.items():
            pictures[f"expert {name}"] = draw_colours(values, scale)
    return {kind: picture.numpy() for kind, picture in pictures.items()}


def _resize(part, side: int, is_mask: bool) -> tf.Tensor:
    """Returns a picture with the area of a square of that side."""
    height, width = part.shape[:2]
    factor = side / np.sqrt(height * width)
    size = [max(1, round(length * factor)) for length in (height, width)]
    return tf.image.resize(part, size, "nearest" if is_mask else "bilinear")


def encode_within(pictures: Mapping[str, np.ndarray], budget: int) -> dict[str, str]:
    """Returns pictures as WebP in base64, smaller or coarser ones where they would not fit.

    Args:
        pictures: uint8 arrays (height, width, 3) or (height, width) by kind.
        budget: int. Bytes of all files together. What fits at no size is left out.
    """
    encoded: dict[str, bytes] = {}
    wanted = 1.0
    for size, quality, share in _LADDER:
        if share > wanted:
            continue
        encoded = {kind: _encode(each, size, quality) for kind, each in pictures.items()}
        spent = sum(map(len, encoded.values()))
        if spent <= budget:
            break
        wanted = min(wanted, share * budget / spent)
    else:
        encoded = {}
    return {kind: base64.b64encode(data).decode("ascii") for kind, data in encoded.items()}


def _encode(picture: np.ndarray, size: float, quality: int) -> bytes:
    image = Image.fromarray(picture)
    if size < 1.0:
        image = image.resize([max(1, round(side * size)) for side in image.size])
    buffer = io.BytesIO()
    # Of the six methods, the third takes a third of the time of the default and 5 % more bytes.
    image.save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()
