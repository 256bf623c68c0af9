"""Curves over all thresholds, areas below them and optima, from counts by ascending score.

The counts are float64 `(bins,)`, arrays or tensors: one bin for each score, or for each range of
scores of a `ScoreHistogram`. Scores in one bin are ties: no threshold separates them.
"""

from keras import ops


def roc_curve(normal, anomalous):
    """Returns the ROC curve, one point for each threshold "score >= t" and (0, 0).

    Returns:
        fpr: float64 tensor `(bins + 1,)`, rising from 0 to 1: flagged share of what is normal.
        tpr: float64 tensor of the same shape: flagged share of what is anomalous.
    """
    return _rates(normal, ops.sum(normal)), _rates(anomalous, ops.sum(anomalous))


def pro_curve(normal, region_shares, num_regions):
    """Returns the per-region overlap over the false-positive rate of pixels.

    Args:
        normal: counts of normal pixels.
        region_shares: for each bin, the sum of 1 / (area of its region) over anomalous pixels.
        num_regions: float64 scalar.

    Returns:
        fpr: float64 tensor `(bins + 1,)`, rising from 0 to 1: flagged share of the normal pixels.
        pro: float64 tensor of the same shape: mean over the regions of the flagged share of each.
    """
    return _rates(normal, ops.sum(normal)), _rates(region_shares, num_regions)


def area_under_roc(normal, anomalous):
    """Returns the chance that an anomalous score exceeds a normal one, ties counting half.

    `AUROC = sum_b A_b * (N_1 + ... + N_(b-1) + N_b / 2) / (sum A * sum N)`, with the counts `N_b`
    normal and `A_b` anomalous in bin `b`. It equals the trapezoid area under `roc_curve`.

    Returns:
        area: float64 scalar tensor in [0, 1]; NaN if either class is absent.
    """
    num_normal, num_anomalous = ops.sum(normal), ops.sum(anomalous)
    below = ops.cumsum(normal) - 0.5 * normal
    # Whole and half pairs add up exactly, so that equal rankings have equal areas.
    area = ops.sum(anomalous * below) / ops.maximum(num_normal * num_anomalous, 1e-300)
    return _nan_unless(ops.logical_and(num_normal > 0, num_anomalous > 0), _at_most_1(area))


def area_under_pro(normal, region_shares, num_regions, fpr_limit: float):
    """Returns the area under `pro_curve` up to a false-positive rate, divided by that rate.

    Lines between the points are straight, and the last one is cut by interpolation at `fpr_limit`.

    Args:
        normal: as in `pro_curve`.
        region_shares: as in `pro_curve`.
        num_regions: as in `pro_curve`.
        fpr_limit: float in (0, 1].

    Returns:
        area: float64 scalar tensor in [0, 1]; NaN without regions or without normal pixels.
    """
    fpr, pro = pro_curve(normal, region_shares, num_regions)
    length = fpr[1:] - fpr[:-1]
    width = ops.clip(fpr_limit - fpr[:-1], 0.0, length)
    # A vertical line has no width and adds nothing; only its slope must not divide by 0.
    slope = (pro[1:] - pro[:-1]) / ops.maximum(length, 1e-300)
    slope = ops.where(length > 0, slope, 0.0)
    area = ops.sum(width * (pro[:-1] + 0.5 * slope * width))
    defined = ops.logical_and(ops.sum(normal) > 0, num_regions > 0)
    return _nan_unless(defined, _at_most_1(area / fpr_limit))


def best_f1(normal, anomalous):
    """Returns the largest F1 over all thresholds "score >= t".

    `F1 = 2 TP / (TP + FP + P)` with true positives `TP`, false positives `FP`, and `P` anomalous
    in all.

    Returns:
        f1: float64 scalar tensor in [0, 1]; NaN without anything anomalous.
    """
    true_positives = _from_above(anomalous)
    false_positives = _from_above(normal)
    positives = ops.sum(anomalous)
    flagged = ops.maximum(true_positives + false_positives + positives, 1e-300)
    return _nan_unless(positives > 0, ops.max(2.0 * true_positives / flagged))


def f1_to_iou(f1):
    """Returns the IoU at the same threshold: `F1 / (2 - F1)`."""
    return f1 / (2.0 - f1)


def _rates(counts, total):
    """Returns the share of the total in the highest bins: in none of them, in one, ... in all."""
    rates = ops.cumsum(ops.flip(counts)) / ops.maximum(total, 1e-300)
    return ops.concatenate([ops.zeros((1,), "float64"), ops.cast(rates, "float64")])


def _from_above(counts):
    return ops.flip(ops.cumsum(ops.flip(counts)))


def _at_most_1(area):
    # A sum of shares may round to 1 + 2e-16.
    return ops.minimum(area, 1.0)


def _nan_unless(defined, value):
    return ops.where(defined, value, ops.full((), float("nan"), dtype="float64"))


def precision_recall_curve(normal, anomalous):
    """Returns precision over recall, one point for each threshold "score >= t".

    Returns:
        recall: float64 tensor `(bins,)`, rising to 1: flagged share of what is anomalous.
        precision: float64 tensor of the same shape: share of the flagged that is anomalous; 1 where
            nothing is flagged.
    """
    found, wrong = (ops.cumsum(ops.flip(counts)) for counts in (anomalous, normal))
    flagged = found + wrong
    precision = ops.where(flagged > 0, found / ops.maximum(flagged, 1e-300), 1.0)
    return found / ops.maximum(ops.sum(anomalous), 1e-300), precision
