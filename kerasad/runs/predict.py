"""The verb `predict`: images in, `predictions.jsonl` and overlays out, in constant memory."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from keras.utils import Progbar

from kerasad.data import read_images
from kerasad.data.geometry import unpack_inputs, whole_batch_size, without_padding
from kerasad.data.loading import ImageStream
from kerasad.errors import InputError
from kerasad.files import replace_file
from kerasad.overlay import ColourScale, encode_overlay
from kerasad.runs.run import Run
from kerasad.training.locations import resolve_data

PREDICTIONS = "predictions.jsonl"
OVERLAY = "_overlay.png"


@dataclass(frozen=True)
class PredictionCount:
    """The numbers of files by outcome.

    Args:
        scored: int. Files with a score.
        defective: int. Those of them that are called defective.
        look: int or None. Those of them that are to be looked at; None without a review band.
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

    Each line is an object with `path`, `anomaly_score`, `threshold`, `review_threshold` (the
    threshold again without a review band), `p_value`, `is_anomalous`, `decision` ("good", "look"
    or "defective"), `defect_area` and `boxes` (see `find_regions`), `image_size` (height and
    width of the image as the model sees it, the pixels of areas and boxes), `file_size` (height
    and width of the photo, EXIF orientation applied) and `overlay` (a path below `output`). The
    object of a file that cannot be used has `path` and `error`.

    Args:
        run: Run.
        paths: files, and folders, which are searched recursively.
        output: str or Path. A folder. Of the files in it, only results of the same name are
            replaced.
        verbose: int. 0 hides the progress bar.

    Raises:
        InputError: No file could be scored.
    """
    config, output = run.config.data, Path(output).absolute()
    detector = run.load_detector()
    paths = [resolve_data(path) for path in paths]
    records, problems = read_images(paths, verify=False, decoding=config.decoding)
    records = [record for record in records if not _is_own_result(Path(record.path), output)]
    batch_size = whole_batch_size(
        config.batch_size, detector.image_size, detector.model.image_shape
    )
    stream = ImageStream(records, problems, detector.geometry, batch_size, decoding=config.decoding)
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
        reason = failures[0].message if failures else "No image was found at the given paths."
        raise InputError(f"None of {len(failures)} files could be scored. {reason}")
    if detector.decision.review_rate is None:
        look = None
    return PredictionCount(scored, defective, look, len(failures))


def _is_own_result(path: Path, output: Path) -> bool:
    """Returns whether an image is an overlay of an earlier prediction."""
    return path.name.endswith(OVERLAY) and path.is_relative_to(output)


def read_prediction(outputs: dict, inputs: Any, row: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Returns one image of a batch and its prediction, without padding.

    Returns:
        The image, float array (height, width, 3), and a dict: the keys of `predictions.jsonl`
        that follow from the outputs, and `anomaly_map`, float array (height, width).
    """
    images, valid = unpack_inputs(inputs)
    image, anomaly_map = without_padding(
        None if valid is None else valid[row],
        np.asarray(images[row]),
        outputs["anomaly_map"][row, ..., 0],
    )
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


def overlay_names(relative_paths: Sequence[str]) -> list[PurePosixPath]:
    """Returns the path of each overlay, `<relative path>_overlay.png`.

    The suffix of the image is left out, unless two images differ only in it.
    """
    paths = [PurePosixPath(path) for path in relative_paths]
    count = Counter(path.with_suffix("") for path in paths)
    return [
        path.with_name((path.stem if count[path.with_suffix("")] == 1 else path.name) + OVERLAY)
        for path in paths
    ]


EIGHT_NEIGHBOURS = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong to one region."""


def find_regions(anomaly_map: np.ndarray, threshold: float) -> list[dict[str, Any]]:
    """Returns the connected regions of a map strictly above a threshold.

    Args:
        anomaly_map: float array (height, width).
        threshold: float. The detector's `pixel_threshold`.

    Returns:
        One dict for each region, largest first: `x` and `y` of the top-left corner, `width` and
        `height` of its box, its `area`, all in pixels of the map, and `peak`, its largest value.
        Regions are 8-connected.
    """
    from scipy import ndimage

    labels, count = ndimage.label(anomaly_map > threshold, structure=EIGHT_NEIGHBOURS)
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
