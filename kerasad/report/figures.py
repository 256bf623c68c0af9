"""The report's figures, drawn from arrays alone."""

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY = "#CC79A7", "#56B4E9", "#767676"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
"""Okabe and Ito's colours, which colour-blind readers can tell apart; markers differ as well."""
MARKERS = "os^DvPX*<>"
MIN_BINS, MAX_BINS = 5, 40
NETWORKS = ("encoder_loss", "decoder_loss", "discriminator_loss")


def plot_losses(history: Mapping[str, Sequence[float]]) -> Figure | None:
    """Draws each loss over the epochs in a frame of its own, since their scales differ.

    Args:
        history: columns of `history.csv` by name.

    Returns:
        A figure: the networks' losses first, then each term; None without a loss.
    """
    names = [name for name in history if name.endswith("_loss") and not name.startswith("val_")]
    networks = [name for name in NETWORKS if name in names]
    names = networks + [name for name in names if name not in NETWORKS]
    if not names:
        return None
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(2.9 * columns, 2.2 * rows), layout="constrained")
    for position, name in enumerate(names):
        axes = _clean(figure.add_subplot(rows, columns, position + 1))
        axes.plot(history["epoch"], history[name], color=BLUE, label="train", **_dot(history))
        if f"val_{name}" in history:
            style = {"color": RED, "linestyle": "--", "label": "validation"}
            axes.plot(history["epoch"], history[f"val_{name}"], **style, **_dot(history))
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.locator_params(axis="x", integer=True)
        if position == 0:
            axes.legend(frameon=False, fontsize=8)
        if position + columns >= len(names):
            axes.set_xlabel("epoch")
    return figure


def plot_synthetic(history: Mapping[str, Sequence[float]]) -> Figure | None:
    """Draws IoU and pixel AUROC on synthetic defects over the epochs; None if not logged."""
    curves = {"synthetic_iou": ("IoU", BLUE), "synthetic_pixel_auroc": ("pixel AUROC", ORANGE)}
    if not any(name in history for name in curves):
        return None
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = _clean(figure.add_subplot())
    for name, (label, colour) in curves.items():
        if name in history:
            last = f"{label}, {history[name][-1]:.3f} at the end"
            axes.plot(history["epoch"], history[name], color=colour, label=last, **_dot(history))
    axes.set(xlabel="epoch", ylim=(0, 1.02), title="Synthetic defects on validation images")
    axes.locator_params(axis="x", integer=True)
    axes.legend(frameon=False, fontsize=8, loc="best")
    return figure


def plot_roc(curves: Mapping[str, tuple[np.ndarray, np.ndarray, float | None]]) -> Figure:
    """Draws ROC curves.

    Args:
        curves: name -> (false-positive rates, true-positive rates, area); the area is None where
            it is not known.
    """
    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axes = _clean(figure.add_subplot())
    for (name, (false, true, area)), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(false, true, color=colour, label=f"{name}, area {_area(area)}")
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":", label="chance")
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate", title="ROC")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def plot_pro(false: np.ndarray, overlap: np.ndarray, area: float | None, limit: float) -> Figure:
    """Draws the mean overlap per defect region over the false-positive rate of pixels.

    Args:
        false: float array, rising. False-positive rates.
        overlap: float array. Mean share of each region that is found at that rate.
        area: float or None. Area under the curve up to `limit`, over `limit`.
        limit: float. Right end of the area.
    """
    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axes = _clean(figure.add_subplot())
    axes.plot(false, overlap, color=GREEN, label=f"AUPRO up to {limit:g}: {_area(area)}")
    axes.fill_between(false, overlap, where=false <= limit, color=GREEN, alpha=0.15)
    axes.set(xlabel="false-positive rate of pixels", ylabel="mean overlap per region")
    axes.set(title="PRO", xlim=(0, limit), ylim=(0, 1.01))
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def thin(*curve, points: int = 2000) -> list[np.ndarray]:
    """Returns at most `points` points of a curve, the first and the last included.

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
    return [axis[np.unique(np.append(chosen, len(axis) - 1))] for axis in curve]


def plot_scores(
    good: np.ndarray, defective: np.ndarray, threshold: float, review_threshold: float | None = None
) -> Figure:
    """Draws histograms of the image scores, the threshold, and the review band if there is one."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = _clean(figure.add_subplot())
    edges = histogram_edges(np.concatenate([good, defective]), threshold)
    axes.hist(good, edges, color=BLUE, alpha=0.75, label=f"good ({len(good)})")
    if len(defective):
        style = {"facecolor": "none", "edgecolor": RED, "hatch": "////", "linewidth": 1.0}
        label = f"defective ({len(defective)})"
        axes.hist(defective, edges, histtype="stepfilled", label=label, **style)
    axes.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3g}")
    if review_threshold is not None and review_threshold < threshold:
        label = f"to be reviewed above {review_threshold:.3g}"
        axes.axvspan(
            review_threshold, threshold, color=GREY, alpha=0.2, linewidth=0, zorder=0, label=label
        )
    axes.set(xlabel="anomaly score", ylabel="images", title="Scores of the test images")
    axes.legend(frameon=False, fontsize=8)
    return figure


def histogram_edges(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Returns the edges of equally wide bins, not more of them than the scores can fill.

    The width is NumPy's "auto" for the scores: the smaller of what the rules of Sturges and of
    Freedman and Diaconis say. The edges reach from the lowest to the highest of scores and
    threshold. There are at least `MIN_BINS` bins, and at most `MAX_BINS` or 2 * sqrt(n) for n
    scores: an outlier would ask for any number of them.
    """
    every = np.append(scores, threshold)
    low, high = float(every.min()), float(every.max())
    width = np.ptp(np.histogram_bin_edges(scores, "auto")[:2])
    most = max(MIN_BINS, min(MAX_BINS, int(2 * np.sqrt(len(scores)))))
    count = int(np.clip(np.ceil((high - low) / width), MIN_BINS, most))
    return np.linspace(low, high + 1e-6, count + 1)


def plot_latent(points: np.ndarray, groups: Sequence[str], title: str) -> Figure:
    """Draws a map of the latent space.

    Args:
        points: float array (images, 2).
        groups: the group of each image; every group has its own colour and marker.
        title: str.
    """
    figure = Figure(figsize=(6.2, 4.2), layout="constrained")
    axes = _clean(figure.add_subplot())
    groups = np.asarray(groups)
    for position, name in enumerate(dict.fromkeys(groups.tolist())):
        chosen = points[groups == name]
        colour = COLOURS[position % len(COLOURS)]
        style = {"marker": MARKERS[position % len(MARKERS)], "s": 22, "linewidth": 0.9}
        # Training images, which come first, are hollow so that they hide nothing.
        face = {"facecolor": "none", "edgecolor": GREY} if position == 0 else {"color": colour}
        axes.scatter(*chosen.T, label=f"{name} ({len(chosen)})", **style, **face)
    axes.set(xticks=[], yticks=[], title=title)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def plot_scale(colours: np.ndarray, low: float, threshold: float, high: float) -> Figure:
    """Draws the legend of all maps and overlays.

    Args:
        colours: float array (256, 3) in [0, 1].
        low: float. Value of the first colour.
        threshold: float. The pixel threshold, in the middle.
        high: float. Value of the last colour.
    """
    figure = Figure(figsize=(4.6, 0.75), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(colours[None], aspect="auto", extent=(low, high, 0, 1))
    axes.axvline(threshold, color="white", linewidth=2)
    labels = [f"{low:.3g}", f"{threshold:.3g} (pixel threshold)", f"{high:.3g} and above"]
    axes.set_xticks([low, threshold, high], labels, fontsize=8)
    axes.set_yticks([])
    return figure


def as_dict(figure: Figure, alt: str) -> dict:
    """Returns a figure for the page: its `data:` address, and what stands for it as text."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, facecolor="white")
    return {"uri": _uri(buffer), "alt": alt}


def image_uri(image: np.ndarray) -> str:
    """Returns a uint8 array (height, width, 3) or (height, width) as a `data:` address."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return _uri(buffer)


def _uri(buffer: io.BytesIO) -> str:
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _area(value: float | None) -> str:
    return "not evaluated" if value is None else f"{value:.3f}"


def _clean(axes):
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25, linewidth=0.6)
    return axes


def _dot(history: Mapping[str, Sequence[float]]) -> dict:
    """A single epoch draws no line, so it gets a dot."""
    return {"marker": "o"} if len(history["epoch"]) == 1 else {}
