"""Grids of cells that cover the real part of an image, whatever its size in a padded frame.

Where aspect ratios vary, images lie in the top left corner of a frame and the rest is padding.
Their edges then fall on any cell, and the same cell shows a different part of each image. On an
aligned grid the real part of every image fills all cells, so that a place means the same in each:
the first column is always the left edge. Images without padding are aligned as they are.
"""

import math

import numpy as np
from keras import ops

from kerasad.layers.cells import counting, downsampled_cells

SMOOTHING = 0.5
"""Standard deviation of the window that enlarges maps, in cells."""


def content_size(valid):
    """Returns how many rows and columns of each image are real, a pair of float32 `(batch,)`.

    Args:
        valid: float tensor `(batch, height, width, 1)`, above 0 in a rectangle at the top left; an
            image without a real pixel counts as one of a single pixel.
    """
    valid = ops.cast(ops.cast(valid, "float32") > 0, "float32")[..., 0]
    rows = ops.sum(ops.max(valid, axis=2), axis=1)
    columns = ops.sum(ops.max(valid, axis=1), axis=1)
    return ops.maximum(rows, 1.0), ops.maximum(columns, 1.0)


def align_cells(cells, valid):
    """Returns cells of a frame, resampled so that the real part of each image fills the grid.

    The value of aligned cell `g` of `n` is interpolated linearly at the place
    `(g + 1/2) * size / n` (pixels from the top or left), `size` the side of the real part.

    Args:
        cells: float tensor `(batch, h, w, channels)` of the frame.
        valid: float tensor `(batch, height, width, 1)`, or None, which returns `cells`.

    Returns:
        aligned: float32 tensor of the shape of `cells`.
    """
    if valid is None:
        return cells
    height, width, channels = cells.shape[1:]
    rows, columns = content_size(valid)
    down = _linear_matrix(height, rows * (height / valid.shape[1]))
    across = _linear_matrix(width, columns * (width / valid.shape[2]))
    cells = ops.reshape(ops.cast(cells, "float32"), (-1, height, width * channels))
    cells = ops.reshape(ops.matmul(down, cells), (-1, height, width, channels))
    return ops.matmul(across[:, None], cells)


def aligned_region(valid, grid):
    """Returns 1 for aligned cells that show a pixel of the region, float32 `(batch, *grid, 1)`.

    Args:
        valid: float tensor `(batch, height, width, 1)`, see `kerasad.layers.cells.counting`.
        grid: `(h, w)` of the aligned cells.
    """
    share = align_cells(downsampled_cells(counting(valid), *grid), valid)
    return ops.cast(share > 0, "float32")


def enlarge_region(maps, weights, size, valid=None, smoothing: float = SMOOTHING):
    """Returns `enlarge_maps` of the cells that count: means of these alone, whatever others hold.

    Args:
        maps, size, valid, smoothing: as in `enlarge_maps`.
        weights: float tensor `(batch, h, w, 1)`, 1 for cells that count, see `aligned_region`.
    """
    total = enlarge_maps(weights, size, valid, smoothing)
    weighted = enlarge_maps(ops.where(weights > 0, maps, 0.0), size, valid, smoothing)
    return weighted / ops.maximum(total, 1e-6)


def enlarge_maps(maps, size, valid=None, smoothing: float = SMOOTHING):
    """Returns maps of an aligned grid as smooth maps of the frame.

    A pixel is the mean of all cells under a Gaussian window around it, whose standard deviation is
    `smoothing` cells; beyond the border the last cells are repeated. The window is measured in the
    image's own cells, however much of the frame the image fills.

    Args:
        maps: float tensor `(batch, h, w, channels)`.
        size: `(height, width)` in pixels.
        valid: float tensor `(batch, H, W, 1)` of the frame at any resolution, or None where every
            pixel is real. Values of padding are those of the nearest edge.
        smoothing: float > 0.

    Returns:
        maps: float32 tensor `(batch, height, width, channels)`, between the smallest and the
        largest value of each map.
    """
    sides = zip(size, maps.shape[1:3], strict=True)
    if valid is None:
        down, across = (_window_matrix(side, cells, side, smoothing) for side, cells in sides)
    else:
        rows, columns = content_size(valid)
        down, across = (
            _window_matrix(side, cells, content[:, None, None, None] * side / whole, smoothing)
            for (side, cells), content, whole in zip(
                sides, (rows, columns), valid.shape[1:3], strict=True
            )
        )
    # Channels first, so that both matrix products are as large as possible.
    _, height, width, channels = maps.shape
    maps = ops.cast(maps, "float32")
    if channels == 1:  # moved without a copy
        maps = ops.reshape(maps, (-1, 1, height, width))
    else:
        maps = ops.transpose(maps, (0, 3, 1, 2))
    maps = ops.matmul(ops.matmul(down, maps), ops.swapaxes(across, -1, -2))
    if channels == 1:
        return ops.reshape(maps, (-1, *size, 1))
    return ops.transpose(maps, (0, 2, 3, 1))


def _linear_matrix(cells, content):
    """Returns `(batch, cells, cells)`: the weights of linear interpolation inside the content."""
    places = (ops.arange(cells, dtype="float32") + 0.5) * (content[:, None] / cells) - 0.5
    # At most the centre of the last cell that holds only real pixels.
    places = ops.clip(places, 0.0, ops.maximum(content[:, None] - 1.0, 0.0))
    distance = ops.abs(places[..., None] - ops.arange(cells, dtype="float32"))
    return ops.maximum(1.0 - distance, 0.0)


def _window_matrix(side, cells, content, smoothing):
    """Returns `(..., side, cells)`: each pixel's weights of all cells of a side."""
    places = (ops.arange(side, dtype="float32")[:, None] + 0.5) * (cells / content) - 0.5
    places = ops.clip(places, -0.5, cells - 0.5)
    # How many cells beyond the border a window reaches: three deviations and a cell.
    reach = math.ceil(3.0 * smoothing) + 2
    beyond = np.arange(-reach, cells + reach)
    distance = places - beyond.astype("float32")
    weights = ops.softmax(-0.5 * ops.square(distance / smoothing), axis=-1)
    # Beyond the border the last cell is repeated.
    folded = np.eye(cells, dtype="float32")[np.clip(beyond, 0, cells - 1)]
    return ops.matmul(weights, ops.convert_to_tensor(folded))
