"""Areas and optima over all thresholds, from counts sorted by ascending score.

Scores in one bin are ties: no threshold separates them.
"""

from keras import ops


def area_under_roc(normal, anomalous):
    """Returns the chance that an anomalous score exceeds a normal one, ties counting half.

    `AUROC = sum_b A_b * (N_1 + ... + N_(b-1) + N_b / 2) / (sum A * sum N)`, with the counts `N_b`
    normal and `A_b` anomalous in bin `b`. It equals the trapezoid area under the ROC curve.

    Args:
        normal: float64 tensor `(bins,)`, ascending in score.
        anomalous: float64 tensor `(bins,)`.

    Returns:
        area: float64 scalar tensor in [0, 1]; NaN if either class is absent.
    """
    num_normal, num_anomalous = ops.sum(normal), ops.sum(anomalous)
    below = ops.cumsum(normal) - 0.5 * normal
    # Shares first: the product of two pixel counts could run out of digits.
    share_below = below / ops.maximum(num_normal, 1e-300)
    area = ops.sum(anomalous / ops.maximum(num_anomalous, 1e-300) * share_below)
    return _nan_unless(ops.logical_and(num_normal > 0, num_anomalous > 0), _at_most_1(area))


def best_f1(normal, anomalous):
    """Returns the largest F1 over all thresholds "score >= t".

    `F1 = 2 TP / (TP + FP + P)` with true positives `TP`, false ones `FP`, and `P` anomalous in all.

    Args:
        normal: float64 tensor `(bins,)`, ascending in score.
        anomalous: float64 tensor `(bins,)`.

    Returns:
        f1: float64 scalar tensor in [0, 1]; NaN without anything anomalous.
    """
    true_positives = _from_above(anomalous)
    false_positives = _from_above(normal)
    positives = ops.sum(anomalous)
    flagged = ops.maximum(true_positives + false_positives + positives, 1e-300)
    return _nan_unless(positives > 0, ops.max(2.0 * true_positives / flagged))


def area_under_pro(normal, region_shares, num_regions, fpr_limit):
    """Returns the area under the per-region overlap up to a false-positive rate, over that rate.

    At a threshold, `FPR` is the flagged share of all normal pixels, and `PRO` the mean over regions
    of the flagged share of each. The curve starts at (0, 0), has one point for every bin, straight
    lines between, and is cut by interpolation at `fpr_limit`.

    Args:
        normal: float64 tensor `(bins,)`, normal pixels by ascending score.
        region_shares: float64 tensor `(bins,)`, the sum of 1 / (area of its region) over the
            anomalous pixels of each bin.
        num_regions: float64 scalar tensor.
        fpr_limit: float in (0, 1].

    Returns:
        area: float64 scalar tensor in [0, 1]; NaN without regions or without normal pixels.
    """
    num_normal = ops.sum(normal)
    defined = ops.logical_and(num_normal > 0, num_regions > 0)
    # From the highest score down; the flip puts the curve's points in the order it is drawn.
    fpr = ops.flip(_from_above(normal)) / ops.maximum(num_normal, 1e-300)
    pro = ops.flip(_from_above(region_shares)) / ops.maximum(num_regions, 1e-300)
    origin = ops.zeros((1,), "float64")
    left, low = ops.concatenate([origin, fpr[:-1]]), ops.concatenate([origin, pro[:-1]])
    width = ops.clip(fpr_limit - left, 0.0, fpr - left)
    # A vertical piece has no width and adds nothing; its slope must only not be a division by 0.
    slope = (pro - low) / ops.maximum(fpr - left, 1e-300)
    slope = ops.where(fpr > left, slope, 0.0)
    area = ops.sum(width * (low + 0.5 * slope * width))
    return _nan_unless(defined, _at_most_1(area / fpr_limit))


def _at_most_1(area):
    # A sum of shares may round to 1 + 2e-16.
    return ops.minimum(area, 1.0)


def _from_above(counts):
    return ops.flip(ops.cumsum(ops.flip(counts)))


def _nan_unless(defined, value):
    return ops.where(defined, value, ops.full((), float("nan"), dtype="float64"))
