"""Hand-shaped defects, for the demo's test set only: scratch, stain, thread and hole.

Outlines are drawn with Pillow at four times the size and averaged down, so that edges are smooth.
The defects have nothing in common with those for training and for choosing.
"""

import math

import numpy as np

from kerasad.errors import check_choice
from kerasad.synthetic.shared import roughness

DEFECTS = ("scratch", "stain", "thread", "hole")

_ZOOM = 4
_SMALLEST_OPACITY = 0.1


def draw_demo_defect(
    name: str, image: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a defect on a photograph.

    Args:
        name: str. One of `DEFECTS`.
        image: uint8 array `(height, width)`, grey.
        rng: NumPy generator.

    Returns:
        defective: uint8 array `(height, width)`, equal to `image` outside the mask.
        mask: bool array `(height, width)`. True on the whole defect, even on the few pixels that
            had its brightness before.

    Raises:
        InputError: For an unknown name.
    """
    check_choice("name", name, DEFECTS)
    draw = {"scratch": _scratch, "stain": _stain, "thread": _thread, "hole": _hole}
    changed = image.astype("float64") / 255
    opacity = np.zeros(image.shape)
    for layer, brightness in draw[name](changed, rng):
        changed = changed + layer * (brightness - changed)
        opacity = np.maximum(opacity, layer)
    mask = opacity > _SMALLEST_OPACITY
    changed = np.round(np.clip(changed, 0.0, 1.0) * 255).astype("uint8")
    return np.where(mask, changed, image), mask


def _scratch(image, rng):
    """Draws a gently bent line of varying width with a dark flank."""
    size = min(image.shape)
    length, turn = rng.uniform(0.3, 0.9) * size, rng.uniform(-1.2, 1.2)
    path = _bent_path(image.shape, length, lambda t: turn * (t - 0.5), rng)
    profile = np.sin(math.pi * np.linspace(0.04, 0.96, len(path))) ** 0.5
    width = rng.uniform(1.2, 2.8) * profile * rng.uniform(0.7, 1.3, len(path))
    tone = _contrasting(image, path, rng.uniform(0.3, 0.5), rng)
    flank = _stroke(image.shape, path + rng.uniform(0.6, 1.2), width * 1.4)
    return [(0.5 * flank, max(tone - 0.6, 0.0)), (0.9 * _stroke(image.shape, path, width), tone)]


def _thread(image, rng):
    """Draws a loose, even fibre with loops, and its shadow."""
    size = min(image.shape)
    length = rng.uniform(0.7, 1.6) * size
    waves, phase = rng.uniform(0.8, 2.2), rng.uniform(0, 2 * math.pi)
    swing = rng.uniform(1.0, 2.6)
    path = _bent_path(
        image.shape, length, lambda t: swing * np.sin(2 * math.pi * waves * t + phase), rng
    )
    width = np.full(len(path), rng.uniform(1.3, 2.4))
    tone = _contrasting(image, path, rng.uniform(0.35, 0.55), rng)
    shadow = _stroke(image.shape, path + rng.uniform(1.0, 2.0), width * 1.3)
    return [(0.45 * shadow, 0.05), (0.95 * _stroke(image.shape, path, width), tone)]


def _stain(image, rng):
    """Draws overlapping dried drops: a dark film with a darker rim."""
    size = min(image.shape)
    radius = rng.uniform(0.06, 0.15) * size
    center = _place(image.shape, radius, rng)
    angles = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    drops = []
    for _ in range(rng.integers(2, 5)):
        middle = center + rng.normal(0, 0.7 * radius, 2)
        wobble = 1 + 0.12 * np.sin(rng.integers(2, 5) * angles + rng.uniform(0, 6))
        reach = rng.uniform(0.5, 1.0) * radius * wobble
        drops.append(middle + np.stack([reach * np.sin(angles), reach * np.cos(angles)], -1))
    film = _polygons(image.shape, drops)
    rim = np.clip(film - _blurred(film, 0.02 * size), 0, None)
    film = _blurred(film, 0.004 * size)
    return [
        (
            min(rng.uniform(0.4, 0.65) + 2 * roughness(image), 0.95) * film,
            rng.uniform(0.05, 0.2) + 0.3 * image,
        ),
        (np.clip(rng.uniform(0.6, 1.2) * rim, 0, 1) * (film > 0), 0.05),
    ]


def _hole(image, rng):
    """Draws a ragged dark opening that is deeper on one side, and lit at the other edge."""
    size = min(image.shape)
    radius = rng.uniform(0.03, 0.09) * size
    center = _place(image.shape, 1.5 * radius, rng)
    angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(9, 16)))
    reach = radius * rng.uniform(0.65, 1.25, len(angles))
    outline = np.stack([reach * np.sin(angles), reach * np.cos(angles)], -1)
    light = rng.uniform(0, 2 * math.pi)
    toward = np.array([math.sin(light), math.cos(light)])
    opening = _polygons(image.shape, [center + outline])
    edge = _polygons(image.shape, [center + 1.12 * outline + 0.12 * radius * toward])
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    depth = ((y - center[0]) * toward[0] + (x - center[1]) * toward[1]) / radius
    inside = 0.08 + 0.06 * np.clip(depth, -1, 1) + rng.normal(0, 0.015, image.shape)
    return [(0.7 * edge, rng.uniform(0.75, 0.95)), (opening, inside)]


def _place(shape, margin, rng):
    """Returns a point `(y, x)` with room around it."""
    room = np.array(shape) - 2 * margin
    return margin + rng.uniform(0, 1, 2) * room


def _bent_path(shape, length, heading, rng):
    """Returns points `(n, 2)`, `(y, x)`, along a path around a random place.

    Args:
        heading: Function from positions along the path, in [0, 1], to the angle from the initial
            direction, in radians.
    """
    points = 80
    angle = rng.uniform(0, 2 * math.pi) + heading(np.linspace(0, 1, points))
    step = np.stack([np.sin(angle), np.cos(angle)], -1) * (length / points)
    path = np.cumsum(step, axis=0)
    return path - path.mean(axis=0) + _place(shape, 0.25 * min(shape), rng)


def _contrasting(image, path, amount, rng):
    """Returns a brightness in [0, 1] that differs from the photograph along the path."""
    amount = amount + 2 * roughness(image)
    row = np.clip(path[:, 0], 0, image.shape[0] - 1).astype(int)
    column = np.clip(path[:, 1], 0, image.shape[1] - 1).astype(int)
    here = image[row, column].mean()
    brighter = here < 0.45 or (here < 0.6 and rng.uniform() < 0.5)
    return float(np.clip(here + (amount if brighter else -amount), 0.02, 0.98))


def _stroke(shape, path, width):
    """Returns the opacity `(height, width)` of a line of varying width in pixels."""
    canvas, pen = _large_canvas(shape)
    for (y, x), (next_y, next_x), w in zip(path[:-1], path[1:], width[1:], strict=True):
        ends = [x * _ZOOM, y * _ZOOM, next_x * _ZOOM, next_y * _ZOOM]
        pen.line(ends, fill=255, width=max(round(w * _ZOOM), 1))
        r = w * _ZOOM / 2
        pen.ellipse([ends[2] - r, ends[3] - r, ends[2] + r, ends[3] + r], fill=255)
    return _averaged_down(canvas, shape)


def _polygons(shape, outlines):
    """Returns the opacity `(height, width)` of filled outlines, each `(n, 2)`."""
    canvas, pen = _large_canvas(shape)
    for outline in outlines:
        pen.polygon([(x * _ZOOM, y * _ZOOM) for y, x in outline], fill=255)
    return _averaged_down(canvas, shape)


def _large_canvas(shape):
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (shape[1] * _ZOOM, shape[0] * _ZOOM))
    return canvas, ImageDraw.Draw(canvas)


def _averaged_down(canvas, shape):
    pixels = np.asarray(canvas, dtype="float64") / 255
    return pixels.reshape(shape[0], _ZOOM, shape[1], _ZOOM).mean(axis=(1, 3))


def _blurred(opacity, sigma):
    from scipy import ndimage

    return ndimage.gaussian_filter(opacity, sigma)
