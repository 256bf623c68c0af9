"""What the experts of a detector read of its model."""

import tensorflow as tf
from keras import ops

from kerasad.errors import InputError
from kerasad.layers.content_grid import enlarge_maps
from kerasad.models.networks import averaged_cells
from kerasad.tracing import compiled


def check_experts(experts, shapes: dict) -> None:
    """Refuses experts that share a name or read a tensor that a model does not have.

    Args:
        experts: list of `Expert`.
        shapes: dict from names of tensors to their shapes.

    Raises:
        InputError: If there is no expert, two have one name, or a tensor is missing.
    """
    names = [expert.name for expert in experts]
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"`experts` must be at least one layer, each with a name of its own. Received: {names}"
        )
    for expert in experts:
        missing = [name for name in expert.requires if name not in shapes]
        if missing:
            raise InputError(
                f"The expert {expert.name!r} needs the tensor {missing[0]!r}, which this model "
                f"does not have; it has {', '.join(sorted(shapes))}."
            )


def chosen_tensors(tensors: dict, expert) -> dict:
    """Returns the tensors that an expert reads."""
    return {name: tensors[name] for name in expert.requires}


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
    # Where the grid has no whole number of finer cells, the last coarse ones reach beyond it.
    covered = tuple(side * -(-of // side) for side, of in zip((height, width), grid, strict=True))
    return enlarge_maps(maps, covered)[:, : grid[0], : grid[1]]


def tensor_shapes(model) -> dict:
    """Returns the shapes of the model's tensors, batch as None, without running it."""
    spec = tf.TensorSpec((None, *model.image_shape), "float32")
    traced = compiled(model.tensors).get_concrete_function(spec)
    return {name: tuple(t.shape) for name, t in traced.structured_outputs.items()}
