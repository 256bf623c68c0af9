"""The distance of a cell's features from a Gaussian of good ones."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.detector.experts.base import Expert
from kerasad.detector.experts.cell_sums import CellSums
from kerasad.errors import InputError, NotFiniteError, check_whole
from kerasad.layers.cells import window_means
from kerasad.precision import add_state

# Covariances inverted at once: all in float64 would be large.
_BLOCKS_AT_ONCE = 32


@keras.saving.register_keras_serializable(package="kerasad")
class CellGaussian(Expert):
    """Mahalanobis distance of a cell's features from the good cells at the same place.

    `sqrt((f - m)^T C^-1 (f - m) / d)`, with mean `m` and covariance `C` of the `n` good cells at
    the place, `d` channels. `C = (n S + d P) / (n + d) + ridge * tr(P) / d * I`, where `S` is the
    covariance at the place and `P` its mean over all places: the fewer images, the more a place
    borrows from the others. If `position_free`, all places are one. Else places are at most
    `max_side` down and across; where the tensor has more cells, each place is the mean of several.
    With `shared` above 1, each block of `shared x shared` places has one covariance, of the cells
    of all its places, while each place has its own mean. That makes the state smaller by
    `shared^2`. `shared` doubles until the covariances take no more than `max_bytes`. In the formula
    `n` then counts the cells of the block, and `S` is the covariance about the means of its places.

    Of more than `max_channels` channels, a random choice is used, drawn from `seed` and saved with
    the expert.

    Args:
        tensor: str. The tensor that is modelled, `(batch, h, w, channels)`.
        max_channels: int. Largest `d`; state and time grow with its square.
        window: int, odd. Cells down and across that are averaged around each cell first, with 0
            beyond the border (`window_means`).
        max_side: int. Most places down and across, where places mean something.
        pool: int >= 1. Cells down and across whose mean is one place; more if `max_side` demands.
        shared: int >= 1. Places down and across that share a covariance; more if `max_bytes`
            demands.
        counts: bool. Whether `degrees` is the number of channels: the fusion then weights the
            expert by it.
        max_bytes: int. Most bytes of all covariances.
        ridge: float > 0.
        seed: int.

    Returns:
        anomaly_map: `(batch, places down, places across, 1)`, about 1 on good images.

    The state suffices to go on from: with the counts of cells, the covariance of each block follows
    from its whitening, so that it is not stored twice.

    Reference: Defard et al., "PaDiM", ICPR 2020, equations 1 and 2; borrowing and sharing are ours.
    """

    passes = 1
    absorbs = True

    def __init__(
        self,
        tensor="z_mean",
        max_channels=64,
        window=1,
        max_side=32,
        pool=1,
        shared=1,
        counts=False,
        max_bytes=2**25,
        ridge=0.01,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_whole("window", window, 1)
        if window % 2 == 0:
            raise InputError(f"`window` must be odd. Received: {window!r}")
        check_whole("pool", pool, 1)
        check_whole("shared", shared, 1)
        check_whole("max_bytes", max_bytes, 0)
        self.tensor = tensor
        self.max_channels = max_channels
        self.window = window
        self.max_side = max_side
        self.pool = pool
        self.shared = shared
        self.counts = counts
        self.max_bytes = max_bytes
        self.ridge = ridge
        self.seed = seed

    @property
    def requires(self):
        """The one tensor that is modelled."""
        return (self.tensor,)

    @property
    def degrees(self):
        """The number of channels, of a Gaussian of pretrained features."""
        return self.mean.shape[-1] if self.counts else 0

    def available(self, shapes):
        """Returns whether the model's tensor has cells."""
        return len(shapes.get(self.tensor, ())) == 4

    def build(self, tensors_shape):
        """Creates means and whitening matrices."""
        _, height, width, channels = tensors_shape[self.tensor]
        dim = min(channels, self.max_channels)
        self._cells_of_place = (self.pool, self.pool)
        if not self.position_free:
            # Whole pools, so that places lie on the cells of coarser grids.
            self._cells_of_place = tuple(
                self.pool * -(-side // (self.pool * self.max_side)) for side in (height, width)
            )
        self._grid = tuple(
            -(-side // cells)
            for side, cells in zip((height, width), self._cells_of_place, strict=True)
        )
        self._places = 1 if self.position_free else self._grid[0] * self._grid[1]
        self.mean = add_state(self, "mean", (self._places, dim))
        self.count = add_state(self, "count", (self._places,))
        self._blocks, self._side = (1, 1), self.shared
        if not self.position_free:
            self._blocks = self._blocks_of(self._side)
            while math.prod(self._blocks) > max(1, self.max_bytes // (4 * dim * dim)):
                self._side *= 2
                self._blocks = self._blocks_of(self._side)
        self.whitening = add_state(self, "whitening", (math.prod(self._blocks), dim, dim))
        self.channels = None
        if dim < channels:
            # State, since another NumPy may draw others from the same seed.
            drawn = np.sort(np.random.default_rng(self.seed).permutation(channels)[:dim])
            self.channels = add_state(self, "channels", (dim,), drawn, dtype="int32")

    def call(self, tensors):
        """Returns the map; see the class."""
        cells = self._cells(tensors[self.tensor]) - self.mean[None]
        # Whitened differences instead of a quadratic form: nothing cancels.
        white = ops.matmul(self._by_block(cells), self.whitening)
        distance = ops.sqrt(ops.mean(ops.square(white), axis=-1) + 1e-12)
        return ops.reshape(self._by_image(distance), (-1, *self._grid, 1))

    def start(self, pass_index, stream=0):
        """Forgets what was gathered."""
        self._sums = CellSums.empty(tuple(self.mean.shape), tuple(self.whitening.shape))

    def update(self, tensors, weights, pass_index):
        """Adds the cells of a batch."""
        mask = ops.reshape(weights(self._grid), (-1, self._grid[0] * self._grid[1]))
        cells = self._cells(tensors[self.tensor])
        if self.position_free:
            cells = ops.reshape(cells, (-1, 1, cells.shape[-1]))
            mask = ops.reshape(mask, (-1, 1))
        count = ops.sum(mask, axis=0)
        total = ops.sum(cells * mask[..., None], axis=0)
        mean = total / ops.maximum(count, 1.0)[:, None]
        blocks = self._by_block((cells - mean[None]) * mask[..., None])
        scatter = ops.matmul(ops.transpose(blocks, (0, 2, 1)), blocks)
        count, mean = (np.asarray(values, "float64") for values in (count, mean))
        self._sums.merge([CellSums(count, mean, np.asarray(scatter))], self._by_block)

    @property
    def gathered(self) -> CellSums:
        """The sums of what `update` was given since `start`."""
        return self._sums

    def resume(self, gathered):
        """Lets the next `update` add to these sums."""
        self._sums = gathered

    def absorb(self, parts):
        """Adds the sums of other images."""
        self._sums.merge(parts, self._by_block)

    def recall(self):
        """Begins with the sums of the good cells that mean and whitening were made of."""
        count = np.asarray(self.count, "float64")
        scatter = _scatter(
            np.asarray(self.whitening), self._count_of_blocks(count), _seen(count), self.ridge
        )
        self._sums = CellSums(count, np.asarray(self.mean, "float64"), scatter)

    def finish(self, pass_index):
        """Sets mean, counts and whitening."""
        sums = self._sums
        self.mean.assign(sums.mean.astype("float32"))
        self.count.assign(sums.count.astype("float32"))
        count = self._count_of_blocks(sums.count)
        self.whitening.assign(_whitening(sums.scatter, count, _seen(sums.count), self.ridge))

    def forget(self):
        """Frees what was gathered."""
        del self._sums

    def _cells(self, features):
        features = ops.cast(features, "float32")
        if self.window > 1:
            features = window_means(features, self.window)
        if self._cells_of_place != (1, 1):
            # The last places hold fewer cells; the pool's mean leaves its own padding out.
            features = ops.average_pool(
                features, self._cells_of_place, self._cells_of_place, padding="same"
            )
        if self.channels is not None:
            features = ops.take(features, self.channels, axis=-1)
        return ops.reshape(features, (-1, self._grid[0] * self._grid[1], features.shape[-1]))

    def _count_of_blocks(self, count):
        return np.asarray(self._by_block(count[None, :, None])).sum(axis=(1, 2))

    def _blocks_of(self, side):
        return tuple(-(-places // side) for places in self._grid)

    def _by_block(self, cells):
        """Returns cells `(batch, places, d)` as `(blocks, cells of a block, d)`."""
        if self._places == 1:
            return ops.reshape(cells, (1, -1, cells.shape[-1]))
        if self._side == 1:
            return ops.transpose(cells, (1, 0, 2))
        (down, across), side, dim = self._blocks, self._side, cells.shape[-1]
        cells = ops.reshape(cells, (-1, *self._grid, dim))
        missing = (side * down - self._grid[0], side * across - self._grid[1])
        if any(missing):
            cells = ops.pad(cells, [(0, 0), (0, missing[0]), (0, missing[1]), (0, 0)])
        cells = ops.reshape(cells, (-1, down, side, across, side, dim))
        return ops.reshape(ops.transpose(cells, (1, 3, 0, 2, 4, 5)), (down * across, -1, dim))

    def _by_image(self, values):
        """Returns values `(blocks, cells of a block)` as `(batch, places)`."""
        if self._places == 1:
            return values
        if self._side == 1:
            return ops.transpose(values)
        (down, across), side = self._blocks, self._side
        values = ops.reshape(values, (down, across, -1, side, side))
        values = ops.transpose(values, (2, 0, 3, 1, 4))
        values = ops.reshape(values, (-1, side * down, side * across))
        return values[:, : self._grid[0], : self._grid[1]]


def _seen(count):
    """Returns how many places have a mean: those of which a good cell was seen."""
    return int(np.count_nonzero(count))


def _whitening(products, count, num_means, ridge):
    """Returns `W` with `W W^T = C^-1` for each block, from sums of centred products.

    Rows are multiplied from the left, so that nothing large is transposed in every call.
    """
    from scipy.linalg.lapack import dpotrf, dtrtri

    dim = products.shape[-1]
    pooled = products.sum(axis=0) / max(count.sum() - num_means, 1.0)
    if not np.all(np.isfinite(pooled)):
        raise NotFiniteError(
            "The features of good images are not finite (NaN or infinite): the weights of the "
            "model are damaged, so train again."
        )
    floor = ridge * np.trace(pooled) / dim + 1e-12
    whitening, borrowed = np.empty(products.shape, "float32"), dim * pooled
    # One by one: a triangle is inverted in a third of the time of solving for the identity.
    for block in range(len(products)):
        covariance = (products[block] + borrowed) / (count[block] + dim)
        covariance.flat[:: dim + 1] += floor
        # A symmetric matrix is its transpose, which is how LAPACK stores matrices.
        root, _ = dpotrf(covariance.T, lower=1, clean=1, overwrite_a=1)
        whitening[block] = dtrtri(root, lower=1, overwrite_c=1)[0].T
    return whitening


def _scatter(whitening, count, num_means, ridge):
    """Returns the sums of centred products of which `_whitening` has made `whitening`.

    With `A = (n + d) (C - floor * I) = products + d P` for each block, the sum of all `A` is a
    multiple of `P`, and its trace gives `floor`.
    """
    dim = whitening.shape[-1]
    products = np.empty(whitening.shape)
    for first in range(0, len(whitening), _BLOCKS_AT_ONCE):
        part = slice(first, first + _BLOCKS_AT_ONCE)
        upper = tf.constant(whitening[part], tf.float64)
        identity = tf.eye(dim, batch_shape=[len(upper)], dtype=tf.float64)
        root = tf.linalg.triangular_solve(upper, identity, lower=False).numpy()
        covariance = np.matmul(root.transpose(0, 2, 1), root)
        products[part] = (count[part, None, None] + dim) * covariance
    weight = count.sum() + len(count) * dim
    cells = max(count.sum() - num_means, 1.0) + len(count) * dim
    total = products.sum(axis=0)
    trace = (np.trace(total) - 1e-12 * dim * weight) / (cells + ridge * weight)
    floor = ridge * trace / dim + 1e-12
    pooled = (total - weight * floor * np.eye(dim)) / cells
    products -= (count[:, None, None] + dim) * (floor * np.eye(dim)) + dim * pooled
    return products
