"""The strip below an overlay that says what was decided, and on which score."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

FONT_SIZE = 15
MARGIN = 6
"""Pixels around the text."""
BESIDE = (64, 64, 64)
"""The colour beside a picture that is narrower than its caption."""

COLOURS = {
    "good": ((27, 120, 55), (255, 255, 255)),
    "review": ((255, 190, 40), (0, 0, 0)),
    "defective": ((178, 24, 43), (255, 255, 255)),
}
"""Of the strip and of its text, by decision. The words say everything; colours help at a glance."""


def describe(prediction: Mapping[str, Any]) -> list[str]:
    """Returns the parts of the caption: the decision, and the score with its threshold.

    Args:
        prediction: Mapping with `decision`, `anomaly_score`, `threshold` and `review_threshold`.
    """
    score = prediction["anomaly_score"]
    decision = prediction["decision"]
    upper, lower = prediction["threshold"], prediction["review_threshold"]
    values = (score, upper) if decision == "defective" else (score, lower)
    if decision == "review":
        values = (*values, upper)
    score, *limits = _with_enough_digits(values)
    if decision == "review":
        return ["REVIEW", f"score {score}", f"above {limits[0]},", f"not above {limits[1]}"]
    relation = "above" if decision == "defective" else "not above"
    return [decision.upper(), f"score {score}", f"{relation} {limits[0]}"]


def _with_enough_digits(values: Sequence[float]) -> list[str]:
    """Returns numbers as texts that differ where the numbers do: 3 digits or as many as needed."""
    for digits in range(3, 10):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def encode_with_caption(picture: np.ndarray, prediction: Mapping[str, Any]) -> bytes:
    """Returns a PNG file: the picture as it is, and a strip below it with the decision.

    Args:
        picture: uint8 array (height, width, 3).
        prediction: See `describe`.
    """
    return encode_with_strip(picture, describe(prediction), COLOURS[prediction["decision"]])


def encode_with_strip(
    picture: np.ndarray, parts: Sequence[str], colours: tuple[tuple, tuple]
) -> bytes:
    """Returns a PNG file: the picture as it is, and a strip below it with a text.

    The strip has as many lines as the width of the picture asks for. A picture that is narrower
    than a word stands at the left of a wider file. The text is also in the file's `Description`.

    Args:
        picture: uint8 array (height, width, 3).
        parts: The parts of the text, between which a line may end.
        colours: Those of the strip and of its text, red, green and blue.
    """
    font = ImageFont.load_default(FONT_SIZE)
    height, width = picture.shape[:2]
    lines = _break_lines(parts, width - 2 * MARGIN, font)
    line_height = sum(font.getmetrics())
    strip = len(lines) * line_height + 2 * MARGIN
    widest = max(round(font.getlength(line)) for line in lines) + 2 * MARGIN
    background, colour = colours
    canvas = Image.new("RGB", (max(width, widest), height + strip), BESIDE)
    canvas.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, height, *canvas.size), background)
    for number, line in enumerate(lines):
        draw.text((MARGIN, height + MARGIN + number * line_height), line, colour, font)
    about = PngImagePlugin.PngInfo()
    about.add_text("Description", " ".join(parts))
    file = io.BytesIO()
    canvas.save(file, "png", pnginfo=about)
    return file.getvalue()


def _break_lines(parts, room, font) -> list[str]:
    """Joins parts to lines while they fit."""
    lines = [parts[0]]
    for part in parts[1:]:
        longer = f"{lines[-1]}   {part}"
        if font.getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines
