"""Paired bootstrap intervals of image AUROC, pixel AUROC and AUPRO, over test images.

A difference of two models is real when the interval of the difference excludes zero. Good and
defective images are drawn with replacement, each kind for itself, and both models are measured on
the same draws. Maps are reduced to counts at `NUM_THRESHOLDS` thresholds once, so that a draw costs
a few products of matrices.
"""

from dataclasses import dataclass

import numpy as np

NUM_THRESHOLDS = 2000
FPR_LIMIT = 0.3
METRICS = ("image_auroc", "pixel_auroc", "aupro")


@dataclass(frozen=True)
class ImageCounts:
    """What a test set's metrics need of one model, image by image.

    Args:
        scores: float array `(images,)`.
        labels: bool array `(images,)`, True for defective.
        good_pixels: float array `(images, thresholds)`: defect-free pixels at or above each
            threshold. Thresholds fall; the last one is below every pixel.
        bad_pixels: likewise of defective pixels.
        region_recalls: float array `(images, thresholds)`: sum over the image's defective regions
            of the share of the region at or above each threshold.
        num_regions: float array `(images,)`.
    """

    scores: np.ndarray
    labels: np.ndarray
    good_pixels: np.ndarray
    bad_pixels: np.ndarray
    region_recalls: np.ndarray
    num_regions: np.ndarray


def count_pixels(scores, labels, maps, masks, weights=None) -> ImageCounts:
    """Reduces scores and maps to `ImageCounts`.

    Args:
        scores: float array `(images,)` or `(images, 1)`.
        labels: bool array `(images,)`.
        maps: float array `(images, height, width)`.
        masks: bool array of the same shape, True where defective.
        weights: array of the same shape, 0 where a pixel does not count, or None.
    """
    from scipy.ndimage import label

    counts = np.ones(masks.shape, bool) if weights is None else np.asarray(weights) > 0
    thresholds = _thresholds(maps[counts & ~masks])
    good, bad, recalls = (np.zeros((len(maps), len(thresholds))) for _ in range(3))
    num_regions = np.zeros(len(maps))
    for row, (image_map, mask, counted) in enumerate(zip(maps, masks, counts, strict=True)):
        good[row] = _at_or_above(image_map[counted & ~mask], thresholds)
        bad[row] = _at_or_above(image_map[counted & mask], thresholds)
        regions, number = label(mask & counted, np.ones((3, 3)))
        num_regions[row] = number
        for region in range(1, number + 1):
            values = image_map[regions == region]
            recalls[row] += _at_or_above(values, thresholds) / len(values)
    return ImageCounts(
        np.reshape(scores, -1).astype("float64"),
        np.asarray(labels, bool),
        good,
        bad,
        recalls,
        num_regions,
    )


def _thresholds(good):
    """Returns falling thresholds, dense where few good pixels are above; the last is -inf."""
    few = np.linspace(0, FPR_LIMIT, NUM_THRESHOLDS // 2, endpoint=False)
    shares = np.concatenate([few, np.linspace(FPR_LIMIT, 1, NUM_THRESHOLDS - len(few) - 2)])
    middle = np.quantile(good, 1 - shares)
    return np.concatenate([[np.inf], middle, [-np.inf]])


def _at_or_above(values, thresholds):
    return len(values) - np.searchsorted(np.sort(values), thresholds, side="left")


def measure(counts: ImageCounts, drawn: np.ndarray | None = None) -> np.ndarray:
    """Returns image AUROC, pixel AUROC and AUPRO of images that count `drawn` times each.

    Args:
        counts: ImageCounts.
        drawn: array `(images,)`, how often each image was drawn; None is once.
    """
    drawn = np.ones(len(counts.scores)) if drawn is None else np.asarray(drawn, "float64")
    fpr = _share(drawn @ counts.good_pixels)
    recall = _share(drawn @ counts.bad_pixels)
    overlap = drawn @ counts.region_recalls / max(drawn @ counts.num_regions, 1e-12)
    inside = fpr <= FPR_LIMIT
    x = np.append(fpr[inside], FPR_LIMIT)
    y = np.append(overlap[inside], np.interp(FPR_LIMIT, fpr, overlap))
    aupro = np.trapezoid(y, x) / FPR_LIMIT
    return np.array([_image_auroc(counts, drawn), np.trapezoid(recall, fpr), aupro])


def _share(numbers):
    return numbers / max(numbers[-1], 1e-12)


def _image_auroc(counts, drawn):
    """Returns the share of pairs of a good and a defective image in the right order."""
    good, bad = ~counts.labels, counts.labels
    above = counts.scores[bad][:, None] > counts.scores[good]
    equal = counts.scores[bad][:, None] == counts.scores[good]
    pairs = drawn[bad] @ (above + 0.5 * equal) @ drawn[good]
    return pairs / (drawn[bad].sum() * drawn[good].sum())


def draw(labels, number: int, seed: int = 0) -> np.ndarray:
    """Returns how often each image is in each of `number` draws, `(number, images)`."""
    generator = np.random.default_rng(seed)
    drawn = np.zeros((number, len(labels)))
    for kind in (False, True):
        rows = np.flatnonzero(np.asarray(labels, bool) == kind)
        drawn[:, rows] = generator.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), number)
    return drawn


def differences(first: list, second: list, number: int = 1000, seed: int = 0) -> np.ndarray:
    """Returns the metrics of `first` less those of `second`, each the mean over its seeds.

    Args:
        first: list of ImageCounts, one a seed, of the same test images.
        second: likewise; as many or fewer seeds than `first`.
        number: int. Draws.
        seed: int. Of the draws.

    Returns:
        differences: array `(1 + number, 3)`; row 0 is of the images as they are.
    """
    drawn = draw(first[0].labels, number, seed)
    rows = [None, *drawn]
    means = [
        np.array([np.mean([measure(own, row) for own in counts], axis=0) for row in rows])
        for counts in (first, second)
    ]
    return means[0] - means[1]


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Returns the percentile interval of draws."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
