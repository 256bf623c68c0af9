"""The choice of the cells that a memory keeps."""

from collections.abc import Callable, Sequence

import numpy as np

from kerasad.errors import check_whole


class CellReservoir:
    """Keeps a uniform sample, without replacement, of all cells of a stream.

    Each cell draws a random key in [0, 1) in the order of the stream, and the cells with the
    smallest keys stay. Every subset of `capacity` cells is equally likely. Which one it is depends
    on the seed and the order, not on how the stream was cut into batches.

    Args:
        capacity: int >= 1. Most cells kept.
        seed: int or tuple of ints.

    Attributes:
        seen: int. Cells in the stream so far.

    Reference: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", Information
    Processing Letters 2006, for equal weights.
    """

    def __init__(self, capacity: int, seed: int | tuple[int, ...] = 0):
        check_whole("capacity", capacity, 1)
        self.capacity = capacity
        self._generator = np.random.default_rng(seed)
        self._keys = np.empty(0)
        self._cells = None
        self.seen = 0

    def begin_with(self, cells: np.ndarray, seen: int) -> None:
        """Begins with a stream of which only the sample is left.

        The sample gets the smallest ones of `seen` random keys, so that cells of other streams
        displace as many of them as if the whole stream had been there.

        Args:
            cells: float32 `(n, channels)`, a uniform sample in random order, n <= `capacity`.
            seen: int >= n. Cells in the stream.

        Reference: Renyi, "On the theory of order statistics", 1953, for the spacings of the keys.
        """
        steps = self._generator.exponential(size=len(cells)) / (seen - np.arange(len(cells)))
        self._keys, self._cells = -np.expm1(-np.cumsum(steps)), cells
        self.seen = seen

    def add(self, cells: np.ndarray) -> None:
        """Takes in the next cells of the stream, float32 `(n, channels)`."""
        cells = np.asarray(cells, "float32")
        self.seen += len(cells)
        keys = self._generator.random(len(cells))
        if self._cells is None:
            self._cells = np.empty((0, cells.shape[1]), "float32")
        room = self.capacity - len(self._keys)
        if room > 0:
            self._keys = np.concatenate([self._keys, keys[:room]])
            self._cells = np.concatenate([self._cells, cells[:room]])
            keys, cells = keys[room:], cells[room:]
        if len(keys) == 0:
            return
        # Only the new cells are copied, not the whole sample.
        both = np.concatenate([self._keys, keys])
        stays = np.zeros(len(both), bool)
        stays[np.argpartition(both, self.capacity - 1)[: self.capacity]] = True
        leaving = np.flatnonzero(~stays[: self.capacity])
        coming = np.flatnonzero(stays[self.capacity :])
        self._keys[leaving] = keys[coming]
        self._cells[leaving] = cells[coming]

    def merge(self, others: Sequence["CellReservoir"]) -> None:
        """Takes in the samples of other streams, whose keys were drawn from other seeds."""
        samples = [each.keyed_cells() for each in (self, *others) if not each.is_empty]
        if not samples:
            return
        keys = np.concatenate([part for part, _ in samples])
        stays = np.argsort(keys)[: self.capacity]
        cells, first = np.empty((len(stays), samples[0][1].shape[1]), "float32"), 0
        for part, rows in samples:  # row by row: all samples together may be large
            own = (stays >= first) & (stays < first + len(part))
            cells[own] = rows[stays[own] - first]
            first += len(part)
        self._keys, self._cells = keys[stays], cells
        self.seen += sum(other.seen for other in others)

    def change(self, function: Callable[[np.ndarray], np.ndarray]) -> None:
        """Replaces the cells of the sample by a function of them, row by row."""
        if self._cells is not None:
            self._cells = function(self._cells)

    @property
    def is_empty(self) -> bool:
        """Whether no cell was added."""
        return self._cells is None

    def keyed_cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the keys and the cells of the sample."""
        return self._keys, self._cells

    def sample(self) -> np.ndarray:
        """Returns the cells kept, float32 `(at most capacity, channels)`, in random order.

        The first `k` are a uniform sample of `k` cells.
        """
        if self._cells is None:
            return np.empty((0, 0), "float32")
        return self._cells[np.argsort(self._keys)]


def greedy_k_center(points: np.ndarray, count: int) -> np.ndarray:
    """Chooses points one by one, each the farthest from all chosen before; the first is given.

    The largest distance of any point from the nearest chosen one is at most twice the smallest
    possible for `count` points. Time grows with `count * n * channels`.

    Args:
        points: float array `(n, channels)`.
        count: int. Points wanted.

    Returns:
        chosen: int array, indices in the order of choice; fewer if all other points repeat them.

    Reference: Gonzalez, "Clustering to minimize the maximum intercluster distance", Theoretical
    Computer Science 1985; as a coreset: Roth et al., "PatchCore", CVPR 2022, algorithm 1.
    """
    if len(points) == 0 or count < 1:
        return np.empty(0, "int64")
    points = np.asarray(points, "float32")
    points = points - points.mean(axis=0)  # squares of large numbers would lose the differences
    squares = np.einsum("nd,nd->n", points, points)
    # The rounding error of the squared distance of a point from itself.
    rounding = 1e-6 * squares.max()
    distances = np.full(len(points), np.inf, "float32")
    chosen = [0]
    while len(chosen) < min(count, len(points)):
        last = chosen[-1]
        to_last = squares + squares[last] - 2.0 * (points @ points[last])
        np.minimum(distances, to_last, out=distances)
        distances[last] = -np.inf
        farthest = int(np.argmax(distances))
        if distances[farthest] <= rounding:
            break
        chosen.append(farthest)
    return np.array(chosen)
