"""What the page is told of a picture: numbers, boxes and pictures in base64."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from kerasad.inspector.opening import Opened
from kerasad.inspector.sources import Source
from kerasad.marking import mark_pixels
from kerasad.overlay import MAX_OPACITY, ColourScale, draw_colours, draw_layer
from kerasad.runs.prediction import add_places_in_file, find_regions
from kerasad.tracing import compiled

_THUMB = 112
# The region around a peak grows in a loop, which takes long operation by operation.
_mark = compiled(mark_pixels, reduce_retracing=True)


def answer(source: Source, opened: Opened) -> dict[str, Any]:
    """Returns score, p-value, boxes and pictures of one image.

    Boxes are those of an image that is called defective, since the page moves the threshold:
    `onlyPeak` says that no pixel is above the pixel threshold, so that there is a box only then.

    Raises:
        InputError: The source cannot score it; the message names the image.
    """
    prediction = source.predict(opened)
    anomaly_map = prediction["anomaly_map"]
    height, width = opened.header.height, opened.header.width
    threshold = source.scale.threshold
    boxes = find_regions(anomaly_map, _mark(anomaly_map, np.float32(threshold), True).numpy())
    placed = add_places_in_file({"boxes": boxes, "image_size": anomaly_map.shape}, (height, width))
    layer = draw_layer(anomaly_map[..., None], source.scale).numpy()
    photo = Image.fromarray(opened.photo)
    return {
        "score": prediction["anomaly_score"],
        "p": prediction["p_value"],
        "boxes": [{**box["in_file"], "peak": box["peak"]} for box in placed["boxes"]],
        "onlyPeak": not bool((anomaly_map > threshold).any()),
        "height": height,
        "width": width,
        "known": source.part_of(opened.content_hash),
        "photo": _encode(photo, "jpeg", quality=90),
        "heat": _encode_png(layer),
        "thumb": _draw_thumb(photo, layer),
    }


def describe_maps(source: Source, opened: Opened) -> list[dict[str, str]]:
    """Returns the map of each expert in colours, on the scale of all maps."""
    return [
        {"name": name, "picture": _encode_png(_colour(values, source.scale))}
        for name, values in source.expert_maps(opened).items()
    ]


def summarize(answered: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a list of answers shows of one."""
    return {name: answered[name] for name in ("score", "p", "known", "thumb")}


def _colour(values: np.ndarray, scale: ColourScale) -> np.ndarray:
    return draw_colours(values[..., None], scale).numpy()


def _draw_thumb(photo: Image.Image, layer: np.ndarray) -> str:
    small = photo.copy()
    small.thumbnail((_THUMB, _THUMB))
    heat = Image.fromarray(layer).resize(small.size, Image.Resampling.BILINEAR)
    opacity = heat.getchannel("A").point(lambda value: value * MAX_OPACITY)
    small.paste(heat.convert("RGB"), mask=opacity)
    return _encode(small, "jpeg", quality=80)


def _encode_png(pixels: np.ndarray) -> str:
    # A quick PNG is twice as large as the best one; it goes no further than this machine.
    return _encode(Image.fromarray(pixels), "png", compress_level=1)


def _encode(image: Image.Image, kind: str, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, kind.upper(), **options)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
