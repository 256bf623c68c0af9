"""95 % intervals: of a share that was counted, and of areas by a bootstrap of test images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerasad.layers.score_histogram import score_to_key
from kerasad.metrics.inputs import compute_region_shares

REPLICATES = 400
"""Bootstrap replicates. More change the ends of an interval in the third digit."""
_SHIFT = 16
"""Bits that a bin drops from a float32: 128 bins for each factor of 2, at most 0.8 % wide."""
_BINS = 2**16
_GROWTH = 512


class Interval(NamedTuple):
    """The two ends of a 95 % interval."""

    low: float
    high: float


def clopper_pearson(count: int, total: int) -> Interval | None:
    """Returns the 95 % interval of a share of which `count` of `total` were observed.

    It is exact: it holds the true share with a probability of at least 95 %, whatever that is.
    None without observations.

    Args:
        count: int in [0, total].
        total: int.

    Reference: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 1934.
    """
    from scipy.stats import binomtest

    if not total:
        return None
    found = binomtest(int(count), int(total)).proportion_ci(0.95, "exact")
    return Interval(float(found.low), float(found.high))


class BootstrapIntervals:
    """Percentile intervals of image AUROC, pixel AUROC and AUPRO, by a bootstrap of images.

    Each replicate counts each image `w` times, `w ~ Poisson(1)`, so that images are weighted as
    they come and none is kept. Pixels are counted in bins of 0.8 % of their score, which moves an
    area much less than the interval is wide. Of images, the scores are kept: 5 bytes each.

    Args:
        fpr_limit: float in (0, 1]. Right end of AUPRO's area.
        replicates: int.
        seed: int.

    Reference: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13; Hanley
    and MacGibbon, "Creating non-parametric bootstrap samples using Poisson frequencies", 2006.
    """

    def __init__(self, fpr_limit: float = 0.3, replicates: int = REPLICATES, seed: int = 0):
        self.fpr_limit = fpr_limit
        self.replicates = replicates
        self._generators = [np.random.default_rng((seed, part)) for part in range(2)]
        self._scores, self._labels = [], []
        self._bins = np.zeros(0, np.int64)
        # For each replicate and bin: normal pixels, anomalous ones, and shares of regions.
        self._counts = np.zeros((3, replicates, 0), np.float32)
        self._regions = np.zeros(replicates)

    def update(self, labels, scores, masks, maps, weights) -> None:
        """Counts a batch.

        Args:
            labels: bool array `(batch,)`, True = defective.
            scores: float array `(batch,)`.
            masks: array `(batch, height, width, 1)`, 1 = anomalous.
            maps: float array of the same shape.
            weights: float array of the same shape, 0 = the pixel is ignored.
        """
        self._scores.append(np.asarray(scores, "float32"))
        self._labels.append(np.asarray(labels, bool))
        times = self._generators[1].poisson(1.0, (len(scores), self.replicates)).astype("float32")
        keys = np.asarray(score_to_key(np.asarray(maps, "float32"))) >> _SHIFT
        bins, anomalous = keys + _BINS // 2, np.asarray(masks) > 0.5
        for row, image_times in enumerate(times):
            own = slice(row, row + 1)
            self._count(bins[own], anomalous[own], np.asarray(weights[own]), image_times)

    def _count(self, bins, anomalous, weights, times):
        if not weights.any():
            return
        shares, num_regions = compute_region_shares(anomalous, weights)
        columns = (weights * ~anomalous, weights * anomalous, shares)
        counts = [np.bincount(bins.ravel(), each.ravel(), _BINS) for each in columns]
        used = np.flatnonzero(np.any(counts, axis=0))
        places = self._places(used)
        for total, own in zip(self._counts, counts, strict=True):
            present = own[used] > 0
            added = np.multiply.outer(times, own[used][present].astype("float32"))
            total[:, places[present]] += added
        self._regions += num_regions * times

    def _places(self, bins):
        """Returns the columns of bins; new ones are added at the end."""
        self._bins = np.concatenate([self._bins, np.setdiff1d(bins, self._bins)])
        if len(self._bins) > self._counts.shape[2]:
            room = len(self._bins) + _GROWTH - self._counts.shape[2]
            self._counts = np.pad(self._counts, ((0, 0), (0, 0), (0, room)))
        order = np.argsort(self._bins)
        return order[np.searchsorted(self._bins, bins, sorter=order)]

    def results(self) -> dict[str, Interval | None]:
        """Returns the interval of each area by the key of its metric; None where undefined."""
        if not len(self._bins):
            return {
                "image_auroc": _percentiles(self._image_areas()),
                "pixel_auroc": None,
                "aupro": None,
            }
        order = np.argsort(self._bins)
        normal, anomalous, shares = self._counts[:, :, order].astype("float64")
        return {
            "image_auroc": _percentiles(self._image_areas()),
            "pixel_auroc": _percentiles(_areas_under_roc(normal, anomalous)),
            "aupro": _percentiles(
                _areas_under_pro(normal, shares, self._regions[:, None], self.fpr_limit)
            ),
        }

    def _image_areas(self):
        if not self._scores:
            return np.zeros(0)
        scores, labels = np.concatenate(self._scores), np.concatenate(self._labels)
        values, place = np.unique(scores, return_inverse=True)
        areas = []
        for _ in range(self.replicates):
            times = self._generators[0].poisson(1.0, len(scores))
            counts = [np.bincount(place, times * (labels == kind), len(values)) for kind in (0, 1)]
            areas.append(_areas_under_roc(*(each[None] for each in counts)))
        return np.concatenate(areas)


def _areas_under_roc(normal, anomalous):
    """Returns `area_under_roc` of counts `(replicates, bins)`; NaN where a class is absent."""
    below = np.cumsum(normal, axis=1) - 0.5 * normal
    with np.errstate(invalid="ignore", divide="ignore"):
        return (anomalous * below).sum(1) / (normal.sum(1) * anomalous.sum(1))


def _areas_under_pro(normal, shares, regions, limit):
    """Returns `area_under_pro` of counts `(replicates, bins)`; NaN where it is undefined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = [
            np.cumsum(counts[:, ::-1], axis=1) / total
            for counts, total in ((normal, normal.sum(1, keepdims=True)), (shares, regions))
        ]
    fpr, pro = (np.pad(rate, ((0, 0), (1, 0))) for rate in rates)
    length, rise = np.diff(fpr), np.diff(pro)
    width = np.clip(limit - fpr[:, :-1], 0.0, length)
    slope = np.divide(rise, length, out=np.zeros_like(rise), where=length > 0)
    area = (width * (pro[:, :-1] + 0.5 * slope * width)).sum(1) / limit
    return np.where(np.isfinite(rates[0][:, -1:] + rates[1][:, -1:])[:, 0], area, np.nan)


def _percentiles(values: Sequence[float]) -> Interval | None:
    values = np.asarray(values)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(float(low), min(float(high), 1.0))
