"""What a detector says of one image: its decision, and the regions that it marks."""

import math
from typing import Any

import numpy as np

from kerasad.data.geometry import unpack_inputs, without_padding
from kerasad.errors import InputError
from kerasad.marking import mark_pixels

NOT_FINITE = (
    "the detector's score or map of it is not a number (NaN or infinite); if it is so with every "
    "image, the weights of the run are damaged: train again."
)


def read_prediction(outputs: dict, inputs: Any, row: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Returns one image of a batch and its prediction, without padding.

    Returns:
        The image, float array (height, width, 3), and a dict: the keys of `predictions.jsonl`
        that follow from the outputs, and `anomaly_map`, float array (height, width).

    Raises:
        InputError: The score or the map is not a number.
    """
    images, valid = unpack_inputs(inputs)
    image, anomaly_map = without_padding(
        None if valid is None else valid[row],
        np.asarray(images[row]),
        outputs["anomaly_map"][row, ..., 0],
    )
    score = float(outputs["anomaly_score"][row])
    if not (math.isfinite(score) and np.all(np.isfinite(anomaly_map))):
        raise InputError(NOT_FINITE)
    is_anomalous, needs_review = (
        bool(outputs[name][row]) for name in ("is_anomalous", "needs_review")
    )
    threshold = float(outputs["pixel_threshold"][row])
    marked = mark_pixels(anomaly_map, threshold, is_anomalous, needs_review)
    boxes = find_regions(anomaly_map, marked.numpy())
    not_defective = "review" if needs_review else "good"
    return image, {
        "anomaly_map": anomaly_map,
        "anomaly_score": score,
        "threshold": float(outputs["threshold"][row]),
        "review_threshold": float(outputs["review_threshold"][row]),
        # As a float64, the float32 next to .05 is above .05, and "p_value <= .05" would be false.
        "p_value": round(float(outputs["p_value"][row]), 6),
        "is_anomalous": is_anomalous,
        "decision": "defective" if is_anomalous else not_defective,
        "defect_area": sum(box["area"] for box in boxes),
        "boxes": boxes,
        "image_size": list(image.shape[:2]),
    }


EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong to one region."""


def find_regions(anomaly_map: np.ndarray, marked: np.ndarray) -> list[dict[str, Any]]:
    """Returns the connected regions of the pixels that are marked, see `mark_pixels`.

    Args:
        anomaly_map: float array (height, width).
        marked: bool array (height, width).

    Returns:
        One dict for each region, largest first: `x` and `y` of the top-left corner, `width` and
        `height` of its box, its `area`, all in pixels of the map, and `peak`, its largest value.
        Regions are 8-connected.
    """
    from scipy import ndimage

    labels, count = ndimage.label(marked, structure=EIGHT_NEIGHBOURS)
    regions = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels, count), start=1):
        inside = labels[rows, columns] == number
        regions.append(
            {
                "x": int(columns.start),
                "y": int(rows.start),
                "width": int(columns.stop - columns.start),
                "height": int(rows.stop - rows.start),
                "area": int(inside.sum()),
                "peak": float(anomaly_map[rows, columns][inside].max()),
            }
        )
    return sorted(regions, key=lambda region: -region["area"])


def add_places_in_file(prediction: dict[str, Any], file_size: tuple[int, int]) -> dict[str, Any]:
    """Adds where the boxes of a prediction lie in the photo.

    Height and width of the photo were scaled independently, and padding was added only below and
    to the right. A box in the photo is the smallest box of whole pixels that covers the box in the
    map. Its area is the area in the map times the ratio of the sizes.

    Args:
        prediction: dict with `boxes` and `image_size`, see `read_prediction`.
        file_size: height and width of the photo, EXIF orientation applied.

    Returns:
        The dict with `file_size`, and each box with `in_file`: `x`, `y`, `width`, `height` and
        `area`, in pixels of the photo.
    """
    (height, width), (file_height, file_width) = prediction["image_size"], file_size
    ratio = file_height * file_width / (height * width)

    def place(box):
        left, across = _stretch(box["x"], box["width"], file_width, width)
        top, down = _stretch(box["y"], box["height"], file_height, height)
        area = max(1, round(box["area"] * ratio))
        in_file = {"x": left, "y": top, "width": across, "height": down, "area": area}
        return {**box, "in_file": in_file}

    boxes = [place(box) for box in prediction["boxes"]]
    return {**prediction, "boxes": boxes, "file_size": list(file_size)}


def _stretch(start: int, length: int, file_side: int, side: int) -> tuple[int, int]:
    """Returns start and length of the whole pixels of a photo that cover an interval of the map."""
    first = start * file_side // side
    last = -(-(start + length) * file_side // side)
    return first, last - first
