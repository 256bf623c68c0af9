"""Images cut into overlapping tiles, and maps of tiles merged, with static shapes."""

import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.errors import InputError


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Returns where tiles begin along one side: evenly spread, the last one ends with the side.

    Neighbours share at least `overlap` pixels.

    Raises:
        InputError: If the overlap is not below the tile, or the tile larger than the side.
    """
    if tile > length:
        raise InputError(f"`tile` ({tile} px) is larger than the image's side ({length} px).")
    if not 0 <= overlap < tile:
        raise InputError(
            f"`overlap` must be in 0..{tile - 1}, below the tile of {tile} pixels. "
            f"Received: {overlap}"
        )
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
        self._rows = tile_starts(image_size[0], tile_size[0], overlap)
        self._columns = tile_starts(image_size[1], tile_size[1], overlap)
        self.starts = [(row, column) for row in self._rows for column in self._columns]

    def cut(self, images):
        """Returns the tiles, `(tiles, batch, tile_height, tile_width, c)`."""
        height, width = self.tile_size
        return ops.stack(
            [images[:, row : row + height, col : col + width] for row, col in self.starts]
        )

    def merge(self, maps):
        """Returns maps of whole images from maps of tiles as `cut`, blended where tiles overlap."""
        tiles = ops.unstack(maps, len(self.starts), axis=0)
        # Strips first: a map of the whole image for each tile would take memory and most time.
        across = len(self._columns)
        strips = [
            _blend(tiles[first : first + across], self._columns, self.image_size[1], axis=2)
            for first in range(0, len(tiles), across)
        ]
        return _blend(strips, self._rows, self.image_size[0], axis=1)

    def map(self, function, images, signature) -> list:
        """Returns what a function makes of each tile, one tile after the other to bound memory.

        Args:
            function: from a tile of each of `images` to a list of tensors.
            images: list of tensors `(batch, height, width, c)`.
            signature: list of `tf.TensorSpec` or dtype of these tensors.
        """
        return tf.map_fn(
            lambda tiles: list(function(*tiles)),
            [self.cut(each) for each in images],
            parallel_iterations=1,
            fn_output_signature=signature,
        )


def _blend(parts, starts, length, axis):
    """Returns parts put at their starts along an axis of that length, overlaps blended linearly.

    A part's weight at a place is the distance from its border, divided by the sum of these weights
    of all parts there. In two dimensions, weights of rows and columns are multiplied.
    """
    size = parts[0].shape[axis]
    position = np.arange(size)
    ramp = np.minimum(position, size - 1 - position) + 1.0
    total = np.zeros(length)
    for start in starts:
        total[start : start + size] += ramp
    blended = 0.0
    for part, start in zip(parts, starts, strict=True):
        share = (ramp / total[start : start + size]).astype("float32")
        shape, padding = [1] * 4, [[0, 0]] * 4
        shape[axis], padding[axis] = size, [start, length - size - start]
        weighted = part * ops.convert_to_tensor(share.reshape(shape), dtype=part.dtype)
        blended = blended + ops.pad(weighted, padding)
    return blended
