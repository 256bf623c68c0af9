"""What the page is told of a picture: numbers, boxes and pictures in base64."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from kerasad.inspector.opening import Opened
from kerasad.inspector.sources import Source
from kerasad.overlay import MAX_OPACITY, ColourScale, draw_colours, draw_layer
from kerasad.runs.prediction import EIGHT_NEIGHBOURS, add_places_in_file, find_regions

_THUMB = 112


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
    above = anomaly_map > threshold
    only_peak = not above.any()
    boxes = find_regions(anomaly_map, find_peak_region(anomaly_map) if only_peak else above)
    placed = add_places_in_file({"boxes": boxes, "image_size": anomaly_map.shape}, (height, width))
    layer = draw_layer(anomaly_map[..., None], source.scale).numpy()
    photo = Image.fromarray(opened.photo)
    return {
        "score": prediction["anomaly_score"],
        "p": prediction["p_value"],
        "boxes": [{**box["in_file"], "peak": box["peak"]} for box in placed["boxes"]],
        "onlyPeak": only_peak,
        "height": height,
        "width": width,
        "known": source.part_of(opened.content_hash),
        "photo": _encode(photo, "jpeg", quality=90),
        "heat": _encode_png(layer),
        "thumb": _draw_thumb(photo, layer),
    }


def find_peak_region(anomaly_map: np.ndarray) -> np.ndarray:
    """Returns `kerasad.marking.peak_region` of a map, bool array (height, width).

    There the region grows pixel by pixel, which a graph can hold. That takes longer than the
    network on a map without a clear peak, as those of good images are.
    """
    from scipy import ndimage

    values = np.sort(anomaly_map, axis=None)
    high = anomaly_map >= np.float32(0.5) * (values[len(values) // 2] + values[-1])
    labels, _ = ndimage.label(high, structure=EIGHT_NEIGHBOURS)
    return labels == labels[np.unravel_index(anomaly_map.argmax(), anomaly_map.shape)]


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
