"""The histogram of scores: good images upwards, defective ones downwards, with an overflow bin."""

import numpy as np

from kerasad.report.charts import Axis, Chart

MAX_BINS = 60
_REACH = 4.0
"""The axis ends this many times as far above the threshold as the lowest score is below it."""


def score_axis(scores: np.ndarray, threshold: float) -> Axis:
    """Returns an axis that holds the threshold and where good images lie.

    A few defective images may score a hundred times as high. The axis then ends before them, and
    they share its last bin.

    Args:
        scores: float array (n,), those of images and of the calibration.
        threshold: float.
    """
    low, high = (float(end(np.append(scores, threshold))) for end in (np.min, np.max))
    high = min(high, threshold + _REACH * max(threshold - low, 1e-3 * abs(threshold), 1e-6))
    room = 0.02 * (high - low) or 0.5
    return Axis("anomaly score", low - room, high + room)


def draw_histogram(
    good: np.ndarray,
    defective: np.ndarray,
    calibration: np.ndarray,
    threshold: float,
    review_threshold: float,
) -> Chart:
    """Returns the histogram; the page draws the threshold over it and moves it.

    Args:
        good, defective: float arrays of image scores.
        calibration: float array of calibration scores: ticks at the top.
        threshold, review_threshold: float. Those in force.
    """
    axis = score_axis(np.concatenate([good, defective, calibration]), threshold)
    count = len(good) + len(defective)
    bins = int(np.clip(4 * np.sqrt(max(count, 1)), 10, MAX_BINS))
    edges = np.linspace(axis.low, axis.high, bins + 1)
    tallies = {
        kind: np.histogram(np.clip(scores, axis.low, axis.high), edges)[0]
        for kind, scores in (("good", good), ("defective", defective))
    }
    most = {kind: int(tally.max(initial=0)) for kind, tally in tallies.items()}
    chart = Chart(
        "Scores of the images",
        axis,
        Axis("images", -1.1 * most["defective"], 1.15 * max(most["good"], 1), whole=True),
        width=560,
        height=230,
    )
    for kind, tally in tallies.items():
        sign = 1 if kind == "good" else -1
        for place, number in enumerate(tally):
            if number:
                x, y = chart.place(edges[place : place + 2], [0, sign * number])
                box = {"x": float(x[0]), "width": float(x[1] - x[0]), "y": float(min(y))}
                bar = {**box, "height": float(abs(y[1] - y[0])), "kind": kind}
                chart.bars.append({**bar, "label": f"{number} {kind}"})
    shown = np.unique(np.asarray(calibration)[:: max(1, len(calibration) // 400)])
    chart.rug = chart.place(shown, 0)[0].tolist()
    if review_threshold < threshold:
        ends = chart.place([review_threshold, threshold], 0)[0]
        chart.band = {"x": float(ends[0]), "width": float(ends[1] - ends[0])}
    beyond = int(np.sum(np.append(good, defective) > axis.high))
    if beyond:
        verb = ("score", "are") if beyond > 1 else ("scores", "is")
        chart.note = (
            f"{beyond} of them {verb[0]} above {axis.high:.4g} and {verb[1]} in the last bar."
        )
    return chart
