"""Means over the cells of a coarser grid, and which cells count."""

from keras import ops

OUTSIDE = 0.5
"""What `valid` says of a real pixel outside the region of interest. It counts nowhere, as padding;
but the picture reaches that far, so that cells keep following its edges."""


def counting(valid):
    """Returns 1 where a pixel counts, and 0 in padding and outside the region, float32.

    Args:
        valid: tensor of any shape: 1 = counts, `OUTSIDE` = outside the region, 0 = padding.
    """
    return ops.cast(ops.cast(valid, "float32") > OUTSIDE, "float32")


def counting_cells(valid, grid):
    """Returns 1 for cells that count, float32 `(batch, h, w)`.

    These are the cells without padding of which at least one pixel is in the region of interest.

    Args:
        valid: as in `counting`, `(batch, H, W, 1)`.
        grid: `(h, w)`.
    """
    valid = ops.cast(valid, "float32")
    real = downsampled_cells(ops.cast(valid > 0, "float32"), *grid) > 0.999
    inside = downsampled_cells(counting(valid), *grid) > 0
    return ops.cast(ops.logical_and(real, inside)[..., 0], "float32")


def downsampled_cells(values, height, width):
    """Returns the mean of `(batch, H, W, c)` values in each cell of a coarser grid.

    Args:
        values: float tensor `(batch, H, W, c)`.
        height: int, rows of the grid.
        width: int, columns of the grid.

    Returns:
        cells: float tensor `(batch, height, width, c)`. Where the grid does not divide the image,
        the last cells are smaller.
    """
    window = (-(-values.shape[1] // height), -(-values.shape[2] // width))
    return ops.average_pool(values, window, strides=window, padding="same")


def window_means(cells, window, stride=1):
    """Returns means over windows of `(batch, H, W, c)` cells; those beyond the border count as 0.

    A mean of fewer cells varies more, and a network's features vary more on the border anyway,
    where it saw zeros. Both make good cells on the border look unusual. With zeros, means of
    standardized features are drawn towards that of all good cells there.

    Args:
        cells: float tensor `(batch, H, W, c)`.
        window: int, cells down and across.
        stride: int, cells from one window to the next.

    Returns:
        means: float tensor `(batch, H / stride, W / stride, c)`, sides rounded up.
    """
    padding = [(0, 0)]
    for side in cells.shape[1:3]:
        beyond = max((-(-side // stride) - 1) * stride + window - side, 0)
        padding.append((beyond // 2, beyond - beyond // 2))
    return ops.average_pool(ops.pad(cells, [*padding, (0, 0)]), window, stride, padding="valid")


def averaged_cells(cells, grid):
    """Returns `(batch, H, W, c)` cells averaged to a grid `(height, width)` that is not finer.

    Whole cells are averaged where a whole number of them makes one of the grid. Other grids, such
    as those of networks that cut their borders off, are resampled with antialiasing.
    """
    means = downsampled_cells(cells, *grid)
    if tuple(means.shape[1:3]) == tuple(grid):
        return means
    return ops.image.resize(cells, grid, interpolation="bilinear", antialias=True)


def valid_cells(valid, cells):
    """Returns 1 for cells that count, float32 `(batch, h, w)`; see `counting_cells`.

    Args:
        valid: as in `counting`, `(batch, H, W, 1)`, or None: every cell counts.
        cells: tensor `(batch, h, w, c)` on the grid of cells.
    """
    if valid is None:
        return ops.ones(ops.shape(cells)[:-1], dtype="float32")
    return counting_cells(valid, cells.shape[1:3])


def mean_of_cells(values, valid=None):
    """Returns each image's mean over its cells of real pixels, float32 `(batch,)`.

    Args:
        values: float tensor `(batch, h, w, 1)` on a grid of cells.
        valid: as in `valid_cells`.

    Returns:
        mean: 0 for an image without such a cell.
    """
    values = ops.cast(values, "float32")
    cells = valid_cells(valid, values)
    total = ops.sum(values[..., 0] * cells, axis=(1, 2))
    return total / ops.maximum(ops.sum(cells, axis=(1, 2)), 1.0)


DEFECTIVE_COVERAGE = 0.25
"""A cell with more than this share of defective pixels counts as defective. With fewer, but some,
it counts neither as good nor as defective."""


def defective_cells(mask, valid, grid):
    """Returns 1 for real cells that a defect covers, float32 `(batch, *grid)`.

    Args:
        mask: float tensor `(batch, H, W, 1)`, above 0 where an image is defective.
        valid: as in `valid_cells`.
        grid: `(h, w)`.
    """
    coverage = downsampled_cells(mask, *grid)
    return ops.cast(coverage[..., 0] > DEFECTIVE_COVERAGE, "float32") * valid_cells(valid, coverage)


def real_cells(mask, valid, grid):
    """Returns 1 for cells without padding or a defective pixel, float32 `(batch, *grid)`.

    Args:
        mask: float tensor `(batch, H, W, 1)`, above 0 where an image is defective.
        valid: as in `valid_cells`.
        grid: `(h, w)`.
    """
    untouched = ops.cast(downsampled_cells(mask, *grid)[..., 0] == 0, "float32")
    return untouched if valid is None else untouched * counting_cells(valid, grid)


def critic_weights(mask, valid, grid, restored_share: float = 0.5):
    """Returns what a critic learns from: how much cells of an image and of a reconstruction weigh.

    Args:
        mask, valid: as in `defective_cells`.
        grid: `(h, w)` of the critic's cells.
        restored_share: float in (0, 1]. How much reconstructions weigh of all that is not good.

    Returns:
        good: float32 tensor `(batch, h, w)`, of real images as good ones; sums to 1.
        others: float32 tensor `(2 * batch, h, w)`, of real images where they are damaged, and of
            reconstructions, unless there is no such cell; sums to 1.
    """
    good = real_cells(mask, valid, grid)
    damaged = defective_cells(mask, valid, grid)
    restored = valid_cells(valid, good[..., None])
    good, damaged, restored = (
        weights / ops.maximum(ops.sum(weights), 1.0) for weights in (good, damaged, restored)
    )
    others = [(1.0 - restored_share) * damaged, restored_share * restored]
    others = ops.concatenate(others, axis=0)
    return good, others / ops.maximum(ops.sum(others), 1e-12)
