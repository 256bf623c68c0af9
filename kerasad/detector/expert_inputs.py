"""What a detector's model is given, and what its experts read of the model."""

import tensorflow as tf
from keras import ops

from kerasad.data.geometry import resize_image, unpack_inputs
from kerasad.errors import InputError
from kerasad.layers.cells import averaged_cells
from kerasad.layers.content_grid import enlarge_maps
from kerasad.models.health import assert_unit_range
from kerasad.tracing import compiled


def prepare_images(inputs, size: tuple[int, int], keep_aspect: bool):
    """Returns images of a size, and their validity or None; see `AnomalyDetector`.

    Raises:
        InputError: If images have no three channels or are no floats in [0, 1], or padded ones
            have another size.
    """
    images, valid = unpack_inputs(inputs)
    if images.shape[-1] != 3:
        raise InputError(
            f"Images must be (batch, height, width, 3). Received: {tuple(images.shape)}; "
            "repeat a grey channel three times."
        )
    with tf.control_dependencies([assert_unit_range(images)]):
        images = tf.identity(images)
    if tuple(images.shape[1:3]) == size:
        return images, valid
    if valid is not None:
        raise InputError(
            f"Padded images must have the detector's size {size}. "
            f"Received: {tuple(images.shape[1:3])}"
        )
    return resize_image(images, *size, keep_aspect=keep_aspect)


def check_experts(experts, shapes: dict) -> None:
    """Refuses experts that share a name or read a tensor that is not among those of a model.

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


def tensor_shapes(model) -> dict:
    """Returns the shapes of the model's tensors, batch as None, without running it."""
    spec = tf.TensorSpec((None, *model.image_shape), "float32")
    traced = compiled(model.tensors).get_concrete_function(spec)
    return {name: tuple(t.shape) for name, t in traced.structured_outputs.items()}
