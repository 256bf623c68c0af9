"""Charts as plain numbers and paths, which the template draws as SVG.

SVG needs no request, prints sharply, and takes its colours from the page, light or dark.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

COLOURS = 6
"""Colours of lines and groups (`--c0` and so on in report.css); shapes and dashes differ too."""
SHAPES = 7
_MARGIN = {"left": 46, "right": 12, "top": 10, "bottom": 36}


@dataclass
class Chart:
    """A frame with axes, and what is drawn in it.

    Args:
        title: str. Also what a screen reader says.
        x, y: `Axis`.
        width, height: int. Of the drawing; the page scales it.
        lines: list of dicts of `path`, `colour` (int), `label`, `dash` (bool) and `dots`.
        points: list of dicts of `x`, `y`, `colour`, `shape`, `group` and `image` (int or None).
        bars: list of dicts of `x`, `y`, `width`, `height` and `kind`.
        marks: list of dicts of `x`, `y`, `colour`, `label` and `name`: operating points.
        rug: list of floats. Places of short ticks at the top.
        band: dict of `x` and `width`, or None. A shaded range.
        note: str. A line below the chart.
    """

    title: str
    x: "Axis"
    y: "Axis"
    width: int = 330
    height: int = 270
    lines: list[dict] = field(default_factory=list)
    points: list[dict] = field(default_factory=list)
    bars: list[dict] = field(default_factory=list)
    marks: list[dict] = field(default_factory=list)
    rug: list[float] = field(default_factory=list)
    band: dict | None = None
    note: str = ""

    @property
    def frame(self) -> dict[str, int]:
        """The edges of the frame in the drawing."""
        return {
            "left": _MARGIN["left"],
            "top": _MARGIN["top"],
            "right": self.width - _MARGIN["right"],
            "bottom": self.height - _MARGIN["bottom"],
        }

    def place(self, x, y) -> tuple[np.ndarray, np.ndarray]:
        """Returns values as places in the drawing, rounded to a tenth."""
        frame = self.frame
        across = frame["left"] + self.x.level(x) * (frame["right"] - frame["left"])
        down = frame["bottom"] - self.y.level(y) * (frame["bottom"] - frame["top"])
        return np.round(across, 1), np.round(down, 1)

    def add_line(self, x, y, label: str, colour: int = 0, dash: bool = False) -> None:
        """Draws a line through the finite points: a value that was not logged leaves no gap."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        known = np.isfinite(x) & np.isfinite(y)
        across, down = self.place(x[known], y[known])
        places = [f"{a:g} {b:g}" for a, b in zip(across, down, strict=True)]
        path = "M" + "L".join(places) if places else ""
        dots = list(zip(across.tolist(), down.tolist(), strict=True)) if len(places) <= 15 else []
        line = {"path": path, "label": label, "colour": colour, "dash": dash, "dots": dots}
        self.lines.append(line)

    def add_mark(self, x: float, y: float, label: str, colour: int = 0, name: str = "") -> None:
        """Draws an operating point."""
        across, down = self.place(x, y)
        mark = {"x": float(across), "y": float(down), "label": label}
        self.marks.append({**mark, "colour": colour, "name": name})

    def data(self) -> dict[str, Any]:
        """Returns the attributes by which a script finds its place in the drawing."""
        return {
            **self.frame,
            "x0": self.x.low,
            "x1": self.x.high,
            "y0": self.y.low,
            "y1": self.y.high,
        }


@dataclass(frozen=True)
class Axis:
    """A range of values and its ticks.

    Args:
        label: str.
        low, high: float. The ends, high above low.
        logarithmic: bool. Both ends are above 0 then.
        ticks: bool. Whether there are any.
        whole: bool. Whether ticks are integers.
    """

    label: str
    low: float = 0.0
    high: float = 1.0
    logarithmic: bool = False
    ticks: bool = True
    whole: bool = False

    @classmethod
    def around(cls, label: str, values, **options) -> "Axis":
        """Returns an axis that holds all finite values; logarithmic where they span decades."""
        values = np.asarray(values, float)
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        if low > 0 and high / low > 30 and not options.get("whole"):
            return cls(label, low * 0.9, high * 1.1, logarithmic=True, **options)
        room = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
        if options.get("whole"):
            room = max(room, 0.5) if high == low else 0.0
        return cls(label, low - room, high + room, **options)

    def level(self, value):
        """Returns values on [0, 1] from the low to the high end; those beyond lie at the end."""
        value = np.asarray(value, float)
        if self.logarithmic:
            value = np.log(np.maximum(value, self.low) / self.low)
            value = value / math.log(self.high / self.low)
        else:
            value = (value - self.low) / (self.high - self.low)
        return np.clip(value, 0.0, 1.0)

    def marks(self) -> list[tuple[float, str]]:
        """Returns the level and the text of each tick."""
        if not self.ticks:
            return []
        if self.logarithmic:
            first, last = (math.log10(end) for end in (self.low, self.high))
            exponents = range(math.floor(first), math.ceil(last) + 1)
            steps = (1, 3) if last - first < 4 else (1,)
            values = [step * 10.0**exponent for exponent in exponents for step in steps]
        else:
            span = self.high - self.low
            step = 10.0 ** math.floor(math.log10(span / 4))
            step *= next(factor for factor in (1, 2, 2.5, 5, 10) if span / (step * factor) <= 5)
            if self.whole:
                step = max(1.0, math.ceil(step))
            ends = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            values = [step * number for number in range(ends[0], ends[1] + 1)]
        slack = 1e-9 * (self.high - self.low)
        inside = [value for value in values if self.low - slack <= value <= self.high + slack]
        return [(float(self.level(value)), f"{value:.4g}") for value in inside]


def thin(*curve, points: int = 400) -> list[np.ndarray]:
    """Returns at most about `points` points of a curve, the first and the last included.

    Args:
        *curve: one array or tensor for each axis.
        points: int. More could not be seen.
    """
    curve = [np.asarray(axis) for axis in curve]
    if len(curve[0]) <= points:
        return curve
    # Even steps along the curve's length, not along its bins: most of them lie in the tail.
    steps = sum(np.abs(np.diff(axis, prepend=axis[0])) for axis in curve)
    length = np.cumsum(steps)
    chosen = np.searchsorted(length, np.linspace(0, length[-1], points))
    chosen = np.unique(np.append(chosen, len(curve[0]) - 1).clip(max=len(curve[0]) - 1))
    return [axis[chosen] for axis in curve]


def draw_losses(history: Mapping[str, Sequence[float]]) -> list[Chart]:
    """Returns a chart of each loss over the epochs, since their scales differ.

    Args:
        history: columns of `history.csv` by name.

    Returns:
        Those of the networks first, then of each term; empty without a loss.
    """
    networks = ("encoder_loss", "decoder_loss", "discriminator_loss")
    names = [name for name in history if name.endswith("_loss") and not name.startswith("val_")]
    ordered = [name for name in networks if name in names]
    ordered += [name for name in names if name not in networks]
    epochs, charts = history["epoch"], []
    for name in ordered:
        values = {"training": history[name]}
        if f"val_{name}" in history:
            values["validation"] = history[f"val_{name}"]
        every = np.concatenate([np.asarray(each, float) for each in values.values()])
        axes = Axis.around("epoch", epochs, whole=True), Axis.around("", every)
        chart = Chart(name.replace("_", " "), *axes, width=290, height=190)
        for colour, (label, each) in enumerate(values.items()):
            chart.add_line(epochs, each, label, colour, dash=bool(colour))
        charts.append(chart)
    return charts


def draw_synthetic(history: Mapping[str, Sequence[float]]) -> Chart | None:
    """Returns IoU and pixel AUROC on synthetic defects over the epochs; None if not logged."""
    curves = {"synthetic_iou": "IoU", "synthetic_pixel_auroc": "pixel AUROC"}
    chart = Chart(
        "Synthetic defects on validation images",
        Axis.around("epoch", history["epoch"], whole=True),
        Axis("", 0.0, 1.0),
        width=440,
        height=250,
    )
    for colour, (name, label) in enumerate(curves.items()):
        values = np.asarray(history.get(name, ()), float)
        known = values[np.isfinite(values)]
        if len(known):
            text = f"{label}, {known[-1]:.3f} at the end"
            chart.add_line(history["epoch"], values, text, colour, dash=bool(colour))
    return chart if chart.lines else None


def draw_latent(
    points: np.ndarray,
    groups: Sequence[str],
    images: Sequence[int | None],
    title: str,
    order: Sequence[str],
) -> Chart:
    """Returns a map of codes, a `Chart`.

    Args:
        points: float array (images, 2).
        groups: the group of each image; every group has its own colour and shape.
        images: the position of each point's image among those of the report, or None.
        title: str.
        order: sequence of str. All groups, by which each keeps its colour and shape in all maps.
    """
    axes = [Axis("", *_ends(each), ticks=False) for each in points.T]
    chart = Chart(title, *axes, width=440, height=340)
    across, down = chart.place(*points.T)
    for x, y, group, image in zip(across, down, groups, images, strict=True):
        number = order.index(group)
        style = {"colour": number % COLOURS, "shape": number % SHAPES}
        chart.points.append({"x": float(x), "y": float(y), "group": group, "image": image, **style})
    return chart


def _ends(values) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.04 * (high - low) or 0.5
    return low - room, high + room
