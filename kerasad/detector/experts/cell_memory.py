"""The distance of a cell's features from the nearest stored good ones."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.detector.experts.base import Expert
from kerasad.detector.experts.coreset import CellReservoir, greedy_k_center
from kerasad.errors import InputError, check_at_least, check_choice, check_whole
from kerasad.layers.cells import window_means
from kerasad.precision import add_state

# Half the squared distance of a row that holds no cell.
_ABSENT = 1e30


@keras.saving.register_keras_serializable(package="kerasad")
class CellMemory(Expert):
    """Distance of a cell's features from the nearest of `capacity` good cells.

    `min over m of |P (f - c) - P (m - c)| / u`, with stored cells `m`, mean `c` of good cells, `u`
    the root mean square of `|f - c|` over good cells, and `P` the `max_channels` principal
    directions of good cells; where the tensor has no more channels than that, `P = 1`. Directions
    keep their variances: whitening them was no better on six data sets. Features are first averaged
    over `pool x pool` neighbours, with 0 beyond the border (`window_means`). All neighbours are
    compared, none is skipped.

    Good cells are sampled uniformly, at most `sample_cells` and `sample_bytes`, but no fewer than
    `capacity`. Mean, directions and the stored cells are taken from the sample. Position means
    nothing, whatever `position_free` says.

    In files, stored cells are float16. They are rounded to it before they are used, which moves
    each by less than 0.0005 of its distance from `c`. Computed distances below about 0.001 are
    rounding errors of float32.

    Args:
        tensor: str. Name of the tensor `(batch, h, w, channels)`.
        capacity: int >= 1. Most stored cells; time and file grow with it.
        coreset: `"k_center"` (each stored cell is the one farthest from those before) or
            `"random"` (uniform).
        max_channels: int or None. Most channels that are compared; None compares all.
        pool: int, odd. Cells down and across that are averaged before comparing.
        query_stride: int >= 1. Cells from one compared cell to the next; windows are widened to
            `pool + query_stride - 1`, so that none is left out.
        neighbors: int >= 1. Number of nearest cells whose root mean square distance is returned.
        counts: bool. Whether `degrees` is the number of channels: the fusion then weights the
            expert by it.
        sample_cells: int. Most cells that the stored ones are chosen from.
        sample_bytes: int. Most bytes of these.
        max_products: int. Products of cells and stored cells held at once, of one image at a time.
        seed: int. Of the sample.

    Returns:
        anomaly_map: `(batch, h / query_stride, w / query_stride, 1)`, sides rounded up, >= 0.

    Reference: Roth et al., "PatchCore", CVPR 2022, section 3; the principal directions and the
    units are ours, and their re-weighting of the image score is left out.
    """

    passes = 1
    absorbs = True
    knows_places = False

    def __init__(
        self,
        tensor="features",
        capacity=2000,
        coreset="k_center",
        max_channels=64,
        pool=3,
        query_stride=1,
        neighbors=1,
        counts=False,
        sample_cells=60_000,
        sample_bytes=2**27,
        max_products=2**20,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, value in (
            ("capacity", capacity),
            ("pool", pool),
            ("query_stride", query_stride),
            ("neighbors", neighbors),
            ("max_channels", 1 if max_channels is None else max_channels),
        ):
            check_whole(name, value, 1)
        check_choice("coreset", coreset, ("k_center", "random"))
        if pool % 2 == 0:
            raise InputError(f"`pool` must be odd. Received: {pool!r}")
        check_at_least("capacity", capacity, neighbors)
        self.tensor = tensor
        self.capacity = capacity
        self.coreset = coreset
        self.max_channels = max_channels
        self.pool = pool
        self.query_stride = query_stride
        self.neighbors = neighbors
        self.counts = counts
        self.sample_cells = sample_cells
        self.sample_bytes = sample_bytes
        self.max_products = max_products
        self.seed = seed

    @property
    def requires(self):
        """The one tensor that is compared."""
        return (self.tensor,)

    @property
    def degrees(self):
        """The number of channels that are compared."""
        return self.cells.shape[-1] - 1 if self.counts else 0

    def available(self, shapes):
        """Returns whether the model's tensor has cells."""
        return len(shapes.get(self.tensor, ())) == 4

    def build(self, tensors_shape):
        """Creates the stored cells and what brings others to their scale."""
        _, height, width, channels = tensors_shape[self.tensor]
        self._grid = tuple(-(-side // self.query_stride) for side in (height, width))
        dim = channels if self.max_channels is None else min(channels, self.max_channels)
        # Stored cells are compared in equal chunks, each with all cells of an image at once.
        largest = max(self.neighbors, self.max_products // math.prod(self._grid))
        self._chunks = -(-self.capacity // largest)
        self._rows = max(self.neighbors, -(-self.capacity // self._chunks))
        self.mean = add_state(self, "mean", (channels,))
        self.unit = add_state(self, "unit", value=1.0)
        self.directions = None
        if dim < channels:
            self.directions = add_state(self, "directions", (channels, dim))
        # Beside each stored cell is minus half its square: one matrix product compares them. Before
        # `finish` there is one cell, of zeros.
        shape = (self._chunks * self._rows, dim + 1)
        self.cells = add_state(self, "cells", shape, _rows_of(np.zeros((1, dim)), shape))
        self.count = add_state(self, "count")
        self.seen = add_state(self, "seen")

    def call(self, tensors):
        """Returns the map; see the class."""
        pooled = self._pooled(tensors[self.tensor], self.query_stride)
        queries = self._scaled(ops.reshape(pooled, (-1, pooled.shape[-1])))
        # The nearest cell has the largest q.m - |m|^2 / 2. All are centred, so little cancels.
        ones = ops.ones_like(queries[:, :1])
        products = ops.concatenate([queries, ones], axis=-1)
        products = ops.reshape(products, (-1, math.prod(self._grid), products.shape[-1]))
        # Image by image: products of a batch would not fit into the cache of a processor.
        nearest = tf.map_fn(self._largest_products, products, parallel_iterations=1)
        nearest = ops.reshape(nearest, (-1, self.neighbors))
        present = ops.cast(nearest > -0.5 * _ABSENT, "float32")
        mean = ops.sum(nearest * present, axis=-1) / ops.maximum(ops.sum(present, axis=-1), 1.0)
        squares = ops.sum(ops.square(queries), axis=-1) - 2.0 * mean
        distance = ops.sqrt(ops.maximum(squares, 0.0))
        return ops.reshape(distance, (-1, *self._grid, 1))

    def _pooled(self, features, stride):
        """Returns means over neighbours."""
        features = ops.cast(features, "float32")
        window = self.pool + self.query_stride - 1
        if window == 1:
            return features
        return window_means(features, window, stride)

    def _scaled(self, cells):
        cells = (cells - self.mean) / self.unit
        return cells if self.directions is None else ops.matmul(cells, self.directions)

    def _largest_products(self, queries):
        """Returns the `neighbors` largest `q.m - |m|^2 / 2` of each query, `(n, neighbors)`."""
        if self._chunks == 1:
            return self._products(queries, 0)

        def step(chunk, best):
            both = ops.concatenate([best, self._products(queries, chunk)], axis=-1)
            return chunk + 1, self._largest(both)

        # TensorFlow's own loop: Keras' would work on several chunks at a time.
        return tf.while_loop(
            lambda chunk, best: chunk < self._chunks,
            step,
            (tf.constant(1), self._products(queries, 0)),
            shape_invariants=(tf.TensorShape(()), tf.TensorShape((None, self.neighbors))),
            parallel_iterations=1,
        )[1]

    def _products(self, queries, chunk):
        cells = ops.slice(self.cells, (chunk * self._rows, 0), (self._rows, self.cells.shape[1]))
        return self._largest(ops.matmul(queries, ops.transpose(cells)))

    def _largest(self, products):
        if self.neighbors == 1:
            return ops.max(products, axis=-1, keepdims=True)
        return ops.top_k(products, self.neighbors, sorted=False)[0]

    def start(self, pass_index, stream=0):
        """Begins a new sample."""
        most = min(self.sample_cells, self.sample_bytes // (4 * self.mean.shape[0]))
        self._pool = CellReservoir(max(self.capacity, most), (self.seed, stream))
        self._former = None

    def update(self, tensors, weights, pass_index):
        """Samples the cells of a batch that have no padding, at every position of the window."""
        cells = np.asarray(self._pooled(tensors[self.tensor], 1))
        self._pool.add(cells[np.asarray(weights(cells.shape[1:3])) > 0])

    @property
    def gathered(self) -> CellReservoir:
        """The sample of what `update` was given since `start`."""
        return self._pool

    def resume(self, gathered):
        """Lets the next `update` add to this sample."""
        self._pool = gathered

    def absorb(self, parts):
        """Adds the samples of other images."""
        self._pool.merge(parts)

    def recall(self):
        """Begins with the stored cells, each for as many as were seen for it.

        Mean, unit and directions stay: the measure of distances is that of the first images.
        """
        if self.coreset != "random":
            raise InputError(
                f"The expert {self.name!r} stores cells that are not a random sample (coreset "
                f"{self.coreset!r}), so further ones cannot be weighed against them: train with "
                "all images."
            )
        self.start(0)
        stored = np.asarray(self.cells)[: int(self.count), :-1]
        seen = max(int(self.seen), len(stored))
        # Keys must not repeat those of the cells that are to come.
        self._former = CellReservoir(self.capacity, (self.seed, 0, seen))
        self._former.begin_with(stored, seen)

    def forget(self):
        """Frees the sample."""
        del self._pool, self._former

    def finish(self, pass_index):
        """Sets mean, directions and the stored cells."""
        seen = self._pool.seen
        if self._former is None:
            stored = self._choose(self._pool.sample())
        else:
            self._pool.change(lambda cells: np.asarray(self._scaled(cells)))
            self._former.merge([self._pool])
            stored, seen = self._former.sample(), self._former.seen
        stored = stored.astype("float16").astype("float32")
        self.cells.assign(_rows_of(stored, self.cells.shape))
        self.count.assign(float(len(stored)))
        self.seen.assign(float(seen))

    def _choose(self, pool):
        """Sets mean, unit and directions, and returns the cells to store, scaled."""
        if not len(pool):
            raise InputError(
                f"The expert {self.name!r} has no good cell to remember: every cell of the "
                "training images has padding. Give images without padding."
            )
        mean = pool.mean(axis=0, dtype="float64").astype("float32")
        pool -= mean
        unit = math.sqrt(np.einsum("nc,nc->", pool, pool, dtype="float64") / len(pool))
        # Cells that are all alike have no unit.
        unit = max(unit, 1e-6 * float(np.linalg.norm(mean)), 1e-12)
        pool /= unit
        self.mean.assign(mean)
        self.unit.assign(unit)
        if self.directions is not None:
            directions = _principal_directions(pool, self.directions.shape[1])
            self.directions.assign(directions)
            pool = pool @ directions
        if self.coreset == "k_center":
            pool = pool[greedy_k_center(pool, self.capacity)]
        return pool[: self.capacity]

    def save_own_variables(self, store):
        """Stores the state; of `cells` the ones in use, as float16, which loses nothing."""
        for variable in self.variables:
            if variable is not self.cells:
                store[variable.name] = np.asarray(variable)
        stored = np.asarray(self.cells)[: max(int(self.count), 1), :-1]
        store["cells"] = stored.astype("float16")

    def load_own_variables(self, store):
        """Restores the state."""
        for variable in self.variables:
            value = np.asarray(store[variable.name]).astype("float32")
            if variable is self.cells:
                value = _rows_of(value[: max(int(store["count"][()]), 1)], self.cells.shape)
            variable.assign(value)


def _rows_of(stored, shape):
    """Returns stored cells `(n, d)` as the rows of `CellMemory.cells`."""
    rows = np.zeros(shape, "float32")
    rows[:, -1] = -_ABSENT
    rows[: len(stored), :-1] = stored
    rows[: len(stored), -1] = -0.5 * np.sum(np.square(stored), axis=1)
    return rows


def _principal_directions(centred, count):
    """Returns the directions of largest variance as columns, `(channels, count)`."""
    products = np.zeros((centred.shape[1],) * 2)
    for first in range(0, len(centred), 4096):
        part = centred[first : first + 4096]
        products += part.T @ part  # of centred cells, so that float32 has digits enough
    directions = np.linalg.eigh(products / len(centred))[1]
    return directions[:, ::-1][:, :count].astype("float32")
