"""Means and scatter of cells, gathered batch by batch and merged."""

import numpy as np


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
    sample variances", 1979, equation 1.5, for vectors.
    """

    def __init__(self, count: np.ndarray, mean: np.ndarray, scatter: np.ndarray):
        self.count = count
        self.mean = mean
        self.scatter = scatter

    @classmethod
    def empty(cls, mean_shape: tuple, scatter_shape: tuple) -> "CellSums":
        """Returns the sums of no image."""
        return cls(np.zeros(mean_shape[0]), np.zeros(mean_shape), np.zeros(scatter_shape))

    def merge(self, other: "CellSums", by_block) -> None:
        """Adds the cells of other images.

        Args:
            other: `CellSums` of the same places and blocks.
            by_block: function from `(1, places, channels)` to `(blocks, places of it, channels)`.
        """
        count = self.count + other.count
        share = other.count / np.maximum(count, 1.0)
        between = other.mean - self.mean
        weighted = np.sqrt(self.count * share)[:, None] * between
        blocks = np.asarray(by_block(weighted[None]))
        self.scatter += other.scatter
        self.scatter += np.matmul(blocks.transpose(0, 2, 1), blocks)
        self.mean += share[:, None] * between
        self.count = count
