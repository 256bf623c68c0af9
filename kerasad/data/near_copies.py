"""Groups of near-copies: photos of one scene, found by descriptors and by the order of files.

Photos come in runs: a camera that is moved along one part, or released several times before the
next one. Such photos are not independent samples. What they share is what tells their scene from
others, so likeness is the correlation of what is left of two images when the average image is
taken away. Parts in one fixture, which look alike as a whole, share nothing of that.
"""

import re
from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

ALIKE = 0.75
"""Likeness of near-copies wherever they lie: they share three quarters of what tells them apart."""
LEAST_ALIKE = 0.25
"""Likeness below which neighbouring files are not near-copies either."""
NEIGHBOURS = 5
"""How many places apart near-copies lie that only the order of files gives away."""
FALSE_SHARE = 0.05
"""Share of the pairs found by their order that may be as like each other by chance."""

_BINS = 1000


def natural_order(paths: Sequence[str]) -> np.ndarray:
    """Returns positions that sort paths as people count: 2 comes before 10."""

    def key(path):
        parts = re.split(r"([0-9]+)", path)
        return [(part.zfill(20) if part.isdigit() else part) for part in parts]

    return np.asarray(sorted(range(len(paths)), key=lambda position: key(paths[position])), int)


def group_near_copies(
    descriptors: np.ndarray, *, block: tuple[int, int] = (1024, 4096)
) -> np.ndarray:
    """Finds groups of near-copies.

    Two images are linked if their likeness, the product of their descriptors, is at least `ALIKE`.
    They are also linked if they lie at most `NEIGHBOURS` places apart and are more alike than
    images half the files apart are: at the threshold, chosen from the data, at most `FALSE_SHARE`
    of the linked neighbours would be found if the order meant nothing. Images that are linked,
    directly or by others, are a group. What drifts in the order of the files, such as lighting,
    also makes neighbours more alike, and may join some of them.

    Args:
        descriptors: float array `(n, numbers)` of length 1, centred, in the order of the files.
        block: two ints. How many images are compared with how many at once, for memory.

    Returns:
        int array `(n,)`, equal numbers for images of one group.
    """
    count = len(descriptors)
    labels = np.arange(count)
    far = max(count // 2, 2 * NEIGHBOURS)
    far_counts = np.zeros(_BINS, "int64")
    height, width = block
    for top in range(0, count, height):
        rows = descriptors[top : top + height].astype("float32")
        for left in range(top, count, width):
            columns = descriptors[left : left + width].astype("float32")
            likeness = rows @ columns.T
            lags = np.arange(left, left + len(columns)) - np.arange(top, top + len(rows))[:, None]
            labels = _link(labels, *np.nonzero((likeness >= ALIKE) & (lags > 0)), top, left)
            chosen = likeness[(likeness >= LEAST_ALIKE) & (lags > far)]
            bins = np.minimum((chosen * _BINS).astype(int), _BINS - 1)
            far_counts += np.bincount(bins, minlength=_BINS)
    num_far = max(count - far - 1, 0) * max(count - far, 0) // 2
    first, second, likeness = _compare_neighbours(descriptors, height)
    linked = likeness >= _neighbour_threshold(likeness, far_counts, num_far)
    return _link(labels, first[linked], second[linked])


def _neighbour_threshold(likeness, far_counts, num_far) -> float:
    """Returns the least likeness at which few enough of the neighbours are so by chance."""
    if not num_far:
        return np.inf
    candidates = np.sort(likeness[likeness >= LEAST_ALIKE])[::-1]
    # Of the pairs far apart, those that share a bin with the candidate count as above it.
    above = np.cumsum(far_counts[::-1])[::-1]
    num_above = above[np.minimum((candidates * _BINS).astype(int), _BINS - 1)]
    by_chance = len(likeness) * (num_above + 1) / (num_far + 1)
    found = np.arange(1, len(candidates) + 1)
    sure = np.flatnonzero(by_chance <= FALSE_SHARE * found)
    return float(candidates[sure[-1]]) if len(sure) else np.inf


def _compare_neighbours(descriptors, at_once):
    """Returns the pairs of neighbours and their likeness."""
    pairs = []
    for lag in range(1, min(NEIGHBOURS, len(descriptors) - 1) + 1):
        for start in range(0, len(descriptors) - lag, at_once):
            first = descriptors[start : min(start + at_once, len(descriptors) - lag)]
            second = descriptors[start + lag : start + lag + len(first)]
            likeness = np.einsum("nd,nd->n", first.astype("float32"), second.astype("float32"))
            positions = np.arange(start, start + len(first))
            pairs.append((positions, positions + lag, likeness))
    if not pairs:
        return np.empty(0, int), np.empty(0, int), np.empty(0, "float32")
    return tuple(np.concatenate(column) for column in zip(*pairs, strict=True))


def _link(labels, rows, columns, top=0, left=0):
    """Returns the labels after the groups of each pair of images have been joined."""
    if not len(rows):
        return labels
    edges = (labels[rows + top], labels[columns + left])
    graph = coo_matrix((np.ones(len(rows), bool), edges), (len(labels), len(labels)))
    return connected_components(graph, directed=False)[1][labels]
