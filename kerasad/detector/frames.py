"""How images reach a detector's model, and where the maps of its experts live.

Whole images have maps of pixels (`PixelFrame`). A model with a `cell_grid` has maps of cells, which
follow the real part of padded images (`CellFrame`). Images larger than the model's are cut into
tiles, whose maps of pixels are merged (`TileFrame`). None of them has state.
"""

import math

import tensorflow as tf
from keras import ops

from kerasad.data.geometry import pack_inputs, resize_image, unpack_inputs
from kerasad.detector.batches import check_shape
from kerasad.detector.tiling import TileGrid
from kerasad.errors import InputError, check_at_least
from kerasad.layers import GaussianBlur
from kerasad.layers.cells import averaged_cells, counting, counting_cells
from kerasad.layers.content_grid import (
    SMOOTHING,
    aligned_region,
    enlarge_maps,
    enlarge_region,
)
from kerasad.models.health import assert_unit_range
from kerasad.progress import Phase

READ_ONCE = "The images can be read only once; give a dataset that starts anew when read again."


def iterate_inputs(dataset, verbose: int = 0, title: str = ""):
    """Yields `(inputs, targets)` of a dataset, and shows the progress if asked.

    Args:
        dataset: iterable of inputs (a tensor, or a dict of `images` and `valid`), or of tuples
            that begin with inputs and targets.
        verbose: 0 or 1.
        title: str. What is done, see `Phase`.

    Yields:
        inputs, targets: as in the dataset; targets are None where there are none.
    """
    try:
        count = len(dataset) if verbose else None
    except TypeError:  # a generator, or a dataset of unknown length
        count = None
    with Phase(title, count, "batch", verbose) as phase:
        for element in dataset:
            if isinstance(element, tuple):
                yield element[0], element[1] if len(element) > 1 else None
            else:
                yield element, None
            phase.advance()


def prepare_images(inputs, size: tuple[int, int], keep_aspect: bool):
    """Returns images of a size, and their validity or None; see `AnomalyDetector`.

    Raises:
        InputError: If images have no batch axis, do not have three channels or are not floats in
            [0, 1], or padded ones have another size.
    """
    images, valid = unpack_inputs(inputs)
    check_shape("Images", images)
    with tf.control_dependencies([assert_unit_range(images)]):
        images = tf.cast(tf.identity(images), tf.float32)
    if valid is not None:
        valid = tf.cast(valid, tf.float32)
    if tuple(images.shape[1:3]) == size:
        return images, valid
    if valid is not None:
        raise InputError(
            f"Padded images must have the detector's size {size}. "
            f"Received: {tuple(images.shape[1:3])}"
        )
    return resize_image(images, *size, keep_aspect=keep_aspect)


def make_frame(
    model, image_size, overlap: int, smoothing: float | None, has_region: bool = False
) -> "PixelFrame":
    """Returns the frame of a detector; see there for the arguments."""
    check_at_least("smoothing", 0 if smoothing is None else smoothing, 0)
    size = tuple(model.image_shape[:2])
    if image_size != size:
        return TileFrame(size, image_size, overlap, smoothing, has_region)
    if model.cell_grid is not None:
        return CellFrame(size, model.cell_grid, smoothing, has_region)
    return PixelFrame(size, smoothing, has_region)


class PixelFrame:
    """Whole images; maps have their size and are smoothed by a Gaussian.

    Args:
        size: `(height, width)` of the model's images.
        smoothing: float or None. Sigma in pixels; None is a 64th of the side of the area.
        has_region: bool. Whether pixels may lie outside a region of interest. Maps are then
            smoothed over what is inside alone.
    """

    cell_grid: tuple[int, int] | None = None
    """`(h, w)` of the cells that maps live on, or None where they live on pixels."""
    tiles: TileGrid | None = None

    def __init__(self, size, smoothing=None, has_region=False):
        self.size = size
        self.has_region = has_region
        self.smoothing = math.sqrt(math.prod(size)) / 64 if smoothing is None else smoothing
        self._blur = GaussianBlur(self.smoothing, dtype="float32")

    def inputs(self, images, valid=None):
        """Returns what the model is given of images."""
        return images

    def map_valid(self, valid):
        """Returns 1 where a value of a map counts and 0 elsewhere; None if all do."""
        return None if valid is None else counting(valid)

    def tensor_valid(self, valid):
        """Returns `valid` as it applies to the cells of the model's tensors, or None."""
        return valid

    def cell_weights(self, valid, grid):
        """Returns 1 for cells of this grid that count, float32 `(batch, *grid)`, or None."""
        return None if valid is None else counting_cells(valid, grid)

    def fit(self, maps, interpolation: str = "bicubic"):
        """Returns maps of any size at the size of this frame."""
        return to_size(maps, self.size, interpolation)

    def smooth(self, maps, valid=None):
        """Returns maps of this frame as they are calibrated."""
        if not self.has_region:
            return self._blur(maps)
        counts = counting(valid)
        return self._blur(maps * counts) / ops.maximum(self._blur(counts), 1e-6)

    def enlarge(self, maps, valid=None):
        """Returns maps of this frame as maps of the detector's images."""
        return maps

    def run(self, function, images, valid, channels):
        """Returns the list of maps that a function makes of inputs, with these channels."""
        return function(self.inputs(images, valid))

    def add_up(self, function, images, valid):
        """Returns the three sums that a function makes of inputs and their `tensor_valid`."""
        return function(self.inputs(images, valid), self.tensor_valid(valid))

    def reconstruct(self, model, images, valid):
        """Returns the model's reconstruction at the size of the detector's images, or None."""
        made = model.reconstruct(self.inputs(images, valid))
        return None if made is None else to_size(made, self.size, "bilinear")


class CellFrame(PixelFrame):
    """Whole images; maps of cells, enlarged by a Gaussian window.

    Args:
        size, cell_grid: those of the model.
        smoothing: float or None. Sigma of the window in pixels; None is 0.5 cells.
        has_region: as in `PixelFrame`.
    """

    def __init__(self, size, cell_grid, smoothing=None, has_region=False):
        self.size = size
        self.has_region = has_region
        self.cell_grid = cell_grid
        cell = math.sqrt(math.prod(size) / math.prod(cell_grid))
        self.smoothing = SMOOTHING * cell if smoothing is None else smoothing
        # A window much smaller than a cell would show the cells.
        self._window = max(self.smoothing / cell, 0.4)

    def inputs(self, images, valid=None):
        """Returns images and their validity: the model aligns its cells with the real part."""
        return pack_inputs(images, valid)

    def map_valid(self, valid):
        """Returns the cells that show something of a region; aligned cells hold no padding."""
        return aligned_region(valid, self.cell_grid) if self.has_region else None

    def tensor_valid(self, valid):
        """Returns `map_valid`."""
        return self.map_valid(valid)

    def cell_weights(self, valid, grid):
        """Returns 1 for cells that show something of a region, or None."""
        return aligned_region(valid, grid)[..., 0] if self.has_region else None

    def fit(self, maps, interpolation: str = "bicubic"):
        """Returns maps on the grid of cells."""
        return to_grid(maps, self.cell_grid)

    def smooth(self, maps, valid=None):
        """Returns maps as they are: `enlarge` smooths them."""
        return maps

    def enlarge(self, maps, valid=None):
        """Returns maps of cells as maps of pixels."""
        if not self.has_region:
            return enlarge_maps(maps, self.size, valid, self._window)
        return enlarge_region(maps, self.map_valid(valid), self.size, valid, self._window)


class TileFrame(PixelFrame):
    """Images that are cut into tiles; maps of pixels, merged and then smoothed."""

    def __init__(self, size, image_size, overlap, smoothing=None, has_region=False):
        super().__init__(size, smoothing, has_region)
        self.tiles = TileGrid(image_size, size, overlap)

    def run(self, function, images, valid, channels):
        """Returns the maps of all tiles, merged."""
        shapes = [tf.TensorSpec((None, *self.size, count), tf.float32) for count in channels]
        return [self.tiles.merge(made) for made in self.tiles.map(function, [images], shapes)]

    def add_up(self, function, images, valid):
        """Returns sums over all tiles."""
        valid = ops.ones_like(images[..., :1]) if valid is None else valid
        sums = self.tiles.map(function, [images, valid], [tf.float32] * 3)
        return [tf.reduce_sum(part, axis=0) for part in sums]

    def reconstruct(self, model, images, valid):
        """Returns the reconstructions of all tiles, merged, or None."""
        tiles = ops.unstack(self.tiles.cut(images), len(self.tiles.starts))
        made = [super(TileFrame, self).reconstruct(model, tile, None) for tile in tiles]
        return None if made[0] is None else self.tiles.merge(ops.stack(made))


def to_size(maps, size, interpolation: str = "bicubic"):
    """Returns maps `(batch, h, w, channels)` resized to `(height, width)`, if they have another."""
    if tuple(maps.shape[1:3]) == tuple(size):
        return maps
    return ops.image.resize(maps, size, interpolation=interpolation)


def to_grid(maps, grid):
    """Returns maps `(batch, h, w, channels)` of cells on a finer or coarser grid of cells."""
    height, width = maps.shape[1:3]
    if (height, width) == tuple(grid):
        return maps
    if height >= grid[0] and width >= grid[1]:
        return averaged_cells(maps, grid)
    # Unless the grid is a multiple of the coarse one, the last coarse cells reach beyond it.
    covered = tuple(side * -(-of // side) for side, of in zip((height, width), grid, strict=True))
    return enlarge_maps(maps, covered)[:, : grid[0], : grid[1]]
