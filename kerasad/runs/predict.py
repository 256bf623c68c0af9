"""Files in, `predictions.jsonl` and overlays out, in constant memory."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from keras.utils import Progbar

from kerasad.data.geometry import Geometry, unpack_inputs, whole_batch_size
from kerasad.data.loading import ImageStream
from kerasad.data.records import read_images
from kerasad.detector.colour_scale import ColourScale
from kerasad.errors import InputError
from kerasad.files import replace_file
from kerasad.overlay import encode_overlay
from kerasad.runs.run import Run
from kerasad.training.locations import resolve_data

PREDICTIONS = "predictions.jsonl"
OVERLAY = "_overlay.png"
SQUARE = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong together."""


@dataclass(frozen=True)
class PredictionCount:
    """How a prediction went.

    Args:
        scored: int. Files with a score.
        defective: int. Of these, the ones called defective.
        look: int or None. Of the others, the ones to be looked at; None without a review band.
        failed: int. Files that could not be used; `predictions.jsonl` says why.
    """

    scored: int
    defective: int
    look: int | None
    failed: int


def predict_files(
    run: Run, paths: Sequence[str | Path], output: str | Path, verbose: int = 1
) -> PredictionCount:
    """Scores files, and writes `predictions.jsonl` and an overlay of each.

    A line is an object with `path`, `anomaly_score`, `threshold`, `review_threshold` (the same
    without a review band), `p_value`, `is_anomalous`, `decision` ("good", "look" or "defective"),
    `defect_area` and `boxes` (see `find_regions` and `add_places_in_file`), `image_size` (the
    height and width in pixels that areas and boxes are measured in: the image as the model sees
    it), `file_size` (height and width of the photo as it is shown, Exif orientation applied) and
    `overlay` (below `output`); or, for a file that cannot be used, `path` and `error`.

    Args:
        run: Run.
        paths: files, and folders searched recursively.
        output: str or Path. A folder; what is in it stays, except for results of the same name.
        verbose: int. 0 hides the progress bar.

    Raises:
        InputError: No file could be scored.
    """
    config, output = run.config.data, Path(output).absolute()
    detector = run.load_detector()
    paths = [resolve_data(path) for path in paths]
    records, problems = read_images(paths, verify=False, decoding=config.decoding)
    records = [record for record in records if not _is_own_result(Path(record.path), output)]
    geometry = Geometry(*detector.image_size, keep_aspect=detector.keep_aspect)
    batch_size = whole_batch_size(
        config.batch_size, detector.image_size, detector.model.image_shape
    )
    stream = ImageStream(records, problems, geometry, batch_size, decoding=config.decoding)
    names = overlay_names([record.relative_path for record in records])
    scale = ColourScale(detector.pixel_threshold)
    scored = defective = look = 0
    with replace_file(output / PREDICTIONS) as work, work.open("w", encoding="utf-8") as lines:
        progress = Progbar(len(records), unit_name="image", verbose=verbose)
        for outputs, inputs, indices in detector.predict_stream(stream.dataset):
            for row, index in enumerate(np.asarray(indices)):
                image, prediction = read_prediction(outputs, inputs, row)
                anomaly_map = prediction.pop("anomaly_map")[..., None]
                overlay = encode_overlay(image, anomaly_map, scale).numpy()
                with replace_file(output / names[index]) as picture:
                    picture.write_bytes(overlay)
                record = records[index]
                file_size = (record.height, record.width)
                named = {
                    "path": record.path,
                    **add_places_in_file(prediction, file_size),
                    "overlay": str(names[index]),
                }
                lines.write(json.dumps(named, allow_nan=False) + "\n")
                scored += 1
                defective += prediction["is_anomalous"]
                look += prediction["decision"] == "look"
            progress.update(scored)
        failures = [problem for problem in stream.problems if problem.broken]
        for problem in failures:
            lines.write(json.dumps({"path": problem.path, "error": problem.message}) + "\n")
    if scored == 0:
        reason = failures[0].message if failures else "There is no image in what was named."
        raise InputError(f"None of {len(failures)} files could be scored. {reason}")
    if detector.decision.review_rate is None:
        look = None
    return PredictionCount(scored, defective, look, len(failures))


def _is_own_result(path: Path, output: Path) -> bool:
    """Whether an image below a folder to be scored is an overlay of an earlier prediction."""
    return path.name.endswith(OVERLAY) and path.is_relative_to(output)


def read_prediction(outputs: dict, inputs: Any, row: int) -> tuple[np.ndarray, dict[str, Any]]:
    """One image of a batch and what was predicted for it, without its padding.

    Returns:
        The image, float array (height, width, 3), and a dict: the keys of `predictions.jsonl`
        that follow from the outputs, and `anomaly_map`, float array (height, width).
    """
    images, valid = unpack_inputs(inputs)
    image, anomaly_map = np.asarray(images[row]), outputs["anomaly_map"][row, ..., 0]
    if valid is not None:  # padding is below and right of the picture
        height, width = (int(np.asarray(valid[row]).any(axis).sum()) for axis in ((1, 2), (0, 2)))
        image, anomaly_map = image[:height, :width], anomaly_map[:height, :width]
    boxes = find_regions(anomaly_map, float(outputs["pixel_threshold"][row]))
    is_anomalous = bool(outputs["is_anomalous"][row])
    not_defective = "look" if outputs["needs_review"][row] else "good"
    return image, {
        "anomaly_map": anomaly_map,
        "anomaly_score": float(outputs["anomaly_score"][row]),
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


def add_places_in_file(prediction: dict[str, Any], file_size: tuple[int, int]) -> dict[str, Any]:
    """Adds where the boxes of a prediction are in the photo that it was made of.

    The picture was scaled to `image_size` on each side by itself, and padded, if at all, below and
    right of it. A box in the photo is the smallest one of whole pixels that holds all of what was
    scaled into the box of the map; its area is that of the map times the ratio of the sizes.

    Args:
        prediction: dict with `boxes` and `image_size`, as of `read_prediction`.
        file_size: height and width of the photo, as it is shown.

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
    """Start and length, in whole pixels of a file's side, of what covers an interval of a map's."""
    first = start * file_side // side
    last = -(-(start + length) * file_side // side)
    return first, last - first


def overlay_names(relative_paths: Sequence[str]) -> list[PurePosixPath]:
    """Where each overlay goes: `<relative path>_overlay.png`.

    The suffix of the file is left out, unless two files differ in nothing else.
    """
    paths = [PurePosixPath(path) for path in relative_paths]
    count = Counter(path.with_suffix("") for path in paths)
    return [
        path.with_name((path.stem if count[path.with_suffix("")] == 1 else path.name) + OVERLAY)
        for path in paths
    ]


def find_regions(anomaly_map: np.ndarray, threshold: float) -> list[dict[str, Any]]:
    """The connected regions of the map strictly above a threshold.

    Args:
        anomaly_map: float array (height, width).
        threshold: float. The detector's `pixel_threshold`.

    Returns:
        One dict a region, largest first: `x`, `y` (the top-left corner), `width`, `height` of its
        box and its `area`, all in pixels of the map, and `peak`, its largest value. Regions are
        8-connected.
    """
    from scipy import ndimage

    labels, count = ndimage.label(anomaly_map > threshold, structure=SQUARE)
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
