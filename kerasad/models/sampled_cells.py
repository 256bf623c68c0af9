"""Which cells of an image the players of a game on features look at."""

import keras
import tensorflow as tf
from keras import ops

from kerasad.layers.cells import DEFECTIVE_COVERAGE
from kerasad.layers.seeded import SeededLayer

REACH = 2
"""A feature sees damage about this many cells away."""
_TOUCHED = 1e-3  # far below the share that makes a cell defective


@keras.saving.register_keras_serializable(package="kerasad")
class SampledCells(SeededLayer):
    """Draws cells of each image, half of them damaged as long as there are so many.

    Few cells are damaged: a discriminator that looked at all cells would spend nearly all of its
    time on good ones.

    Args:
        count: int >= 1. Cells of each image, at most; a small grid has fewer.
        seed: int or None. Seed of the draw; its generator's state is saved with the layer.

    Call arguments:
        mask: float tensor `(batch, h, w, 1)`, the share of each cell that is defective.

    Returns:
        places: int32 tensor `(batch, n)`, different cells of each image, counted row by row.
    """

    def __init__(self, count: int = 128, seed: int | None = None, **kwargs):
        super().__init__(**{"seed": seed, "dtype": "float32", **kwargs})
        self.count = count

    def call(self, mask):
        """Returns the places; see the class."""
        cells = mask.shape[1] * mask.shape[2]
        count = min(self.count, cells)
        damaged = ops.reshape(mask, (-1, cells)) > DEFECTIVE_COVERAGE
        chance = keras.random.uniform(ops.shape(damaged), seed=self.seed_generator)
        # In the order of `chance`, damaged cells first: one half from each end.
        order = ops.argsort(ops.where(damaged, chance - 1.0, chance), axis=-1)
        return ops.concatenate([order[:, : count // 2], order[:, cells - count + count // 2 :]], -1)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "count": self.count}


def cells_at(values, places):
    """Returns cells of `(batch, h, w, c)` values at places, `(batch, n, 1, c)`."""
    channels = values.shape[-1]
    flat = ops.reshape(values, (-1, values.shape[1] * values.shape[2], channels))
    return tf.gather(flat, places, batch_dims=1)[:, :, None]


def touched_cells(mask):
    """Returns the share of each cell that is defective, and a trace in cells that see a defect.

    These are neither good nor defective, see `real_cells` and `defective_cells`.

    Args:
        mask: float tensor `(batch, h, w, 1)`, the share of each cell that is defective.
    """
    near = ops.max_pool(ops.cast(mask > 0, "float32"), 2 * REACH + 1, strides=1, padding="same")
    return ops.maximum(mask, _TOUCHED * near)
