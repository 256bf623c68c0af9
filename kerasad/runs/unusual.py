"""The most unusual good photos of a training: named, and drawn for a look."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasad.data.category import Category
from kerasad.data.decoding import decode_file
from kerasad.data.earlier_results import PREDICTIONS
from kerasad.data.geometry import without_padding
from kerasad.data.image_files import ImageRecord
from kerasad.detector import AnomalyDetector
from kerasad.detector.unusual import LeftOutScores, most_unusual, standing_out
from kerasad.files import parse_json
from kerasad.overlay import ColourScale, draw_enlarged
from kerasad.runs.caption import COLOURS, encode_with_strip
from kerasad.runs.overlay_names import overlay_names
from kerasad.runs.result_folder import replace_results

STANDS_OUT = "stands out"
_PLAIN = ((64, 64, 64), (255, 255, 255))


def draw_unusual(
    left_out: LeftOutScores, detector: AnomalyDetector, category: Category, folder: Path
) -> str:
    """Writes overlays of the most unusual good photos, and a list of them.

    The list has the form of a prediction: it says that the pictures are not photos.

    Args:
        left_out: `LeftOutScores` of `category.split.calibrating`.
        detector: AnomalyDetector. Its thresholds are those of the pictures.
        category: Category.
        folder: Path. An absolute path; see `replace_results`.

    Returns:
        Lines of text for the end of the training.
    """
    positions = most_unusual(left_out.scores)
    records = [category.split.calibrating[position] for position in positions]
    names = overlay_names(_flat_names(records))
    stands_out = standing_out(left_out.scores)
    scale = ColourScale(detector.pixel_threshold)
    lines = []
    with replace_results(folder) as files:
        for number, (position, record, name) in enumerate(
            zip(positions, records, names, strict=True), start=1
        ):
            score, is_out = float(left_out.scores[position]), bool(stands_out[position])
            p_value = round(left_out.p_value(position), 6)
            rank = f"{number} of {len(left_out.scores)}"
            picture = _draw(record, left_out.maps[position], scale, category)
            parts = [STANDS_OUT.upper() if is_out else "GOOD PHOTO", rank, f"score {score:.3g}"]
            colours = COLOURS["review"] if is_out else _PLAIN
            files.add_overlay(name, encode_with_strip(picture, parts, colours))
            values = {"path": record.path, "anomaly_score": score, "p_value": p_value}
            files.add({**values, "stands_out": is_out, "overlay": str(name)})
            line = f"  {rank}  score {score:<8.3g} p {p_value:.3f}  {record.relative_path}"
            lines.append(f"{line}  {STANDS_OUT}" if is_out else line)
    return "\n".join([_headline(len(lines)), *lines, _verdict(int(stands_out.sum()))])


def read_unusual(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns what `draw_unusual` has said, by the path of each photo; empty without a list.

    Returns:
        dict from absolute path to a dict of `text` and `overlay`, the path of the picture or None.
    """
    found: dict[str, dict[str, Any]] = {}
    try:
        lines = (folder / PREDICTIONS).read_text(encoding="utf-8").splitlines()
        for line in lines:
            values = parse_json(line)
            text = f"left-out score {values['anomaly_score']:.3g}, p {values['p_value']:.3f}"
            if values["stands_out"]:
                text += f", {STANDS_OUT}"
            overlay = folder / values["overlay"]
            overlay = overlay if overlay.is_file() else None
            found[values["path"]] = {"text": text, "overlay": overlay}
    except (OSError, ValueError, KeyError, TypeError):  # no list, or a damaged one
        return found
    return found


def _draw(record, anomaly_map, scale, category):
    image, valid = decode_file(record, category.decoding, category.geometry.resize)
    image, anomaly_map = without_padding(valid, np.asarray(image), anomaly_map)
    return draw_enlarged(image, anomaly_map, scale).numpy()


def _headline(count):
    return (
        f"The {count} most unusual good photos, each scored by statistics of the others. "
        "Check them; --exclude FILE leaves one out."
    )


def _verdict(count):
    if not count:
        return "  None stands out from all the others."
    if count == 1:
        return "  One stands out from all the others: it may show a defect."
    return f"  {count} stand out from all the others: they may show defects."


def _flat_names(records: Sequence[ImageRecord]) -> list[str]:
    """Returns a file name for each record; those that several have get their folders' names."""
    names = [record.relative_path.rpartition("/")[2] for record in records]
    count = Counter(name.casefold() for name in names)
    return [
        name if count[name.casefold()] == 1 else record.relative_path.replace("/", "_")
        for name, record in zip(names, records, strict=True)
    ]
