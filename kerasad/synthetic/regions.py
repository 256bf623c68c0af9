"""Positions and outlines of training defects, batched and in graph.

Only static shapes and index arithmetic, so that all of it compiles under XLA.
"""

from keras import ops

from kerasad.layers.cells import counting

_CELL = 8  # pixels; centers are drawn cell by cell


def place_density(images, valid=None):
    """Returns the density of centers over cells of 8 x 8 pixels, `(batch, rows, columns)`.

    It is half uniform, half proportional to the mean gradient of the brightness; 0 where nothing
    counts.
    """
    # Every second pixel of one channel is enough, and four times as fast.
    brightness = images[:, ::2, ::2, 1:2]
    gradient = ops.abs(_next_row(brightness) - brightness)
    gradient = gradient + ops.abs(_next_column(brightness) - brightness)
    energy = ops.average_pool(gradient, _CELL // 2, padding="same")[..., 0]
    density = energy / (ops.mean(energy, axis=(1, 2), keepdims=True) + 1e-6) + 1.0
    if valid is not None:
        real = ops.average_pool(counting(valid[:, ::2, ::2]), _CELL // 2, padding="same")[..., 0]
        density = density * ops.cast(real > 0.5, "float32")
    return density


def draw_region(shape, center, height, width):
    """Returns the opacity `(batch, height, width, 1)` and the offsets from the center."""
    dy = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1)) - center[0]
    dx = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, -1)) - center[1]
    cosine, sine = ops.cos(shape["angle"]), ops.sin(shape["angle"])
    u = (cosine * dx + sine * dy) / shape["half_length"]
    v = (cosine * dy - sine * dx) / shape["half_height"]
    v = v + shape["bend"] * (shape["half_length"] / shape["half_height"]) * (u * u - 0.5)
    square = ops.maximum(ops.abs(u), ops.abs(v))
    distance = square + shape["roundness"] * (ops.sqrt(u * u + v * v) - square)
    distance = distance + shape["waves"] * edge_waves(shape, dy, dx)
    # Never sharper than one pixel, at any size.
    edge = ops.maximum(shape["softness"], 1.0 / shape["half_height"])
    level = ops.clip((1.0 - distance) / ops.minimum(edge, 1.0) + 0.5, 0.0, 1.0)
    alpha = shape["alpha"] * level * level * (3.0 - 2.0 * level)
    return alpha[..., None], (dy, dx)


def edge_waves(shape, dy, dx):
    """Returns the edge noise `(batch, height, width)`, with a variance near 1.

    It is `sum over k of h_k sin(p_k dx + q_k dy + c_k)`, plane waves in the local coordinates.
    The sine of a sum splits into products, so that one matrix product draws all of them.
    """
    # Along a scar, the wavelength depends on its height more than on its length.
    length = ops.sqrt(shape["half_length"] * shape["half_height"])
    wave_u, wave_v = shape["wave_u"] / length, shape["wave_v"] / shape["half_height"]
    cosine, sine = ops.cos(shape["angle"]), ops.sin(shape["angle"])
    by_row = (wave_u * sine + wave_v * cosine) * dy + shape["wave_phase"]
    by_column = (wave_u * cosine - wave_v * sine) * ops.swapaxes(dx, 1, 2)
    rows = ops.concatenate([ops.sin(by_row), ops.cos(by_row)], axis=-1)
    heights = ops.concatenate([shape["wave_height"]] * 2, axis=-1)
    columns = ops.concatenate([ops.cos(by_column), ops.sin(by_column)], axis=-1)
    return ops.matmul(heights * rows, ops.swapaxes(columns, 1, 2))


def reflect(position, size):
    """Returns integer positions in [0, size), mirrored at the borders."""
    period = max(2 * (size - 1), 1)
    folded = ops.cast(ops.round(position), "int32") % period
    return (size - 1) - ops.abs(folded - (size - 1))


def window_mean(values):
    """Returns the mean of 5 x 5 pixels around each pixel, zero-padded at the borders."""
    radius = 2
    for axis in (1, 2):
        padding = [(radius, radius) if i == axis else (0, 0) for i in range(3)]
        padded = ops.pad(values, padding)
        length = values.shape[axis]
        parts = [
            padded[:, k : k + length] if axis == 1 else padded[:, :, k : k + length]
            for k in range(2 * radius + 1)
        ]
        values = sum(parts[1:], parts[0])
    return values / (2 * radius + 1) ** 2


def _next_row(images):
    return ops.concatenate([images[:, 1:], images[:, -1:]], axis=1)


def _next_column(images):
    return ops.concatenate([images[:, :, 1:], images[:, :, -1:]], axis=2)
