"""Means and scatter of cells, gathered batch by batch and merged."""

from collections.abc import Sequence

import numpy as np

# Few enough to stay in the cache of the processor while they are added up.
_BLOCKS_AT_ONCE = 8


class CellSums:
    """Count and mean of the cells at each place, and the scatter of each block of places.

    The scatter of a block is the sum of `(f - m)(f - m)^T` over its cells `f`, with the mean `m` of
    each cell's own place. Sets of images may be gathered one by one and merged: the result is that
    of all their images together, but for rounding.

    Args:
        count: float64 array `(places,)`.
        mean: float64 array `(places, channels)`.
        scatter: float64 array `(blocks, channels, channels)`.

    Reference: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
    sample variances", 1979, equation 1.5, for vectors and several sets.
    """

    def __init__(self, count: np.ndarray, mean: np.ndarray, scatter: np.ndarray):
        self.count = count
        self.mean = mean
        self.scatter = scatter

    @classmethod
    def empty(cls, mean_shape: tuple, scatter_shape: tuple) -> "CellSums":
        """Returns the sums of no image."""
        return cls(np.zeros(mean_shape[0]), np.zeros(mean_shape), np.zeros(scatter_shape))

    def merge(self, others: Sequence["CellSums"], by_block) -> None:
        """Adds the cells of other images.

        Args:
            others: `CellSums` of the same places and blocks, none of them this one.
            by_block: function from `(n, places, channels)` to `(blocks, n places of it, channels)`.
        """
        count = np.stack([self.count, *(other.count for other in others)])[..., None]
        mean = np.stack([self.mean, *(other.mean for other in others)])
        merged = (count * mean).sum(axis=0) / np.maximum(count.sum(axis=0), 1.0)
        between = np.asarray(by_block(np.sqrt(count) * (mean - merged)))
        for first in range(0, len(between), _BLOCKS_AT_ONCE):
            part = slice(first, first + _BLOCKS_AT_ONCE)
            for other in others:
                self.scatter[part] += other.scatter[part]
            self.scatter[part] += np.matmul(between[part].transpose(0, 2, 1), between[part])
        self.mean = merged
        self.count = count.sum(axis=0)[:, 0]
