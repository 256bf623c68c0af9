"""Cuts images into overlapping tiles and merges maps of tiles, with static shapes."""

import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.errors import InputError


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Returns where tiles begin along one side: evenly spread, the last one flush with the end.

    Args:
        length: int, pixels.
        tile: int, pixels, at most `length`.
        overlap: int, pixels; neighbours share at least so many.

    Returns:
        starts: rising list of ints, the first 0.

    Raises:
        InputError: If the overlap is not below the tile, or the tile larger than the side.
    """
    if tile > length:
        raise InputError(f"`tile` ({tile} px) is larger than the image's side ({length} px).")
    if not 0 <= overlap < tile:
        raise InputError(f"`overlap` must be in 0..{tile - 1}, below the tile. Received: {overlap}")
    count = -(-(length - overlap) // (tile - overlap))
    return [int(start) for start in np.round(np.linspace(0, length - tile, max(count, 1)))]


class TileGrid:
    """The tiles of images of one size.

    Args:
        image_size: `(height, width)` of the images.
        tile_size: `(height, width)` of the tiles.
        overlap: int. Pixels that neighbours share at least.
    """

    def __init__(self, image_size: tuple[int, int], tile_size: tuple[int, int], overlap: int):
        self.image_size = image_size
        self.tile_size = tile_size
        rows = tile_starts(image_size[0], tile_size[0], overlap)
        columns = tile_starts(image_size[1], tile_size[1], overlap)
        self.starts = [(row, column) for row in rows for column in columns]
        self._windows = [self._window(start) for start in self.starts]

    def cut(self, images):
        """Returns the tiles, `(tiles, batch, tile_height, tile_width, c)`."""
        height, width = self.tile_size
        return ops.stack(
            [images[:, row : row + height, col : col + width] for row, col in self.starts]
        )

    def merge(self, maps):
        """Returns maps of whole images from maps of tiles, blended linearly where tiles overlap.

        Args:
            maps: float tensor `(tiles, batch, tile_height, tile_width, c)`, as cut.

        Returns:
            merged: float tensor `(batch, height, width, c)`.
        """
        total = 0.0
        for tile, (row, col), window in zip(
            ops.unstack(maps, len(self.starts), axis=0), self.starts, self._windows, strict=True
        ):
            below = self.image_size[0] - self.tile_size[0] - row
            right = self.image_size[1] - self.tile_size[1] - col
            weighted = tile * ops.convert_to_tensor(window, dtype=maps.dtype)
            total = total + ops.pad(weighted, [[0, 0], [row, below], [col, right], [0, 0]])
        return total

    def map(self, function, images, shape):
        """Returns what a function makes of each tile, merged; one tile after the other.

        Args:
            function: from `(batch, tile_height, tile_width, c)` to float32 of `shape`.
            images: float tensor `(batch, height, width, c)`.
            shape: `(None, tile_height, tile_width, channels)`.
        """
        made = tf.map_fn(
            function,
            self.cut(images),
            parallel_iterations=1,
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
        )
        return self.merge(made)

    def _window(self, start):
        # Each tile's share of a pixel; the shares of all tiles sum to 1 there.
        own = np.zeros(self.image_size)
        total = np.zeros(self.image_size)
        ramp = np.outer(_ramp(self.tile_size[0]), _ramp(self.tile_size[1]))
        for row, col in self.starts:
            area = np.s_[row : row + self.tile_size[0], col : col + self.tile_size[1]]
            total[area] += ramp
            if (row, col) == start:
                own[area] = ramp
        row, col = start
        share = own / total
        cut = share[row : row + self.tile_size[0], col : col + self.tile_size[1]]
        return cut[None, :, :, None].astype("float32")


def _ramp(length):
    position = np.arange(length)
    return np.minimum(position, length - 1 - position) + 1.0
