"""Procedural textures: Perlin noise, stripes, checkers, clouds and grain."""

import math

import numpy as np

TEXTURES = ("grain", "stripes", "checker", "cloud", "plain")
_LATTICE = 64  # the period of the noise


def perlin_noise(y, x, rng: np.random.Generator, octaves: int = 3) -> np.ndarray:
    """Returns gradient noise at any points, with a mean near 0 and mostly within [-1, 1].

    Each lattice point has a random direction; the noise is the inner product of direction and
    offset, blended between the four neighbours by `6 t^5 - 15 t^4 + 10 t^3`. Octave `k` has
    `2^k` times the frequency and `2^-k` times the amplitude.

    Args:
        y, x: float arrays of the same shape, in units of the lattice.
        rng: NumPy generator.
        octaves: int >= 1.

    Returns:
        noise: float array of the shape of `y`.

    Reference: Perlin, "Improving noise", SIGGRAPH 2002.
    """
    noise = 0.0
    for octave in range(octaves):
        angle = rng.uniform(0.0, 2 * math.pi, (_LATTICE, _LATTICE))
        directions = np.sin(angle), np.cos(angle)
        offset = rng.uniform(0.0, _LATTICE, 2)
        where = y * 2**octave + offset[0], x * 2**octave + offset[1]
        noise = noise + _one_octave(*where, directions) / 2**octave
    return math.sqrt(2.0) * noise


def _one_octave(y, x, directions):
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    dy, dx = y - row, x - column
    fade_y, fade_x = _fade(dy), _fade(dx)
    total = 0.0
    for i in (0, 1):
        for j in (0, 1):
            place = (row + i) % _LATTICE * _LATTICE + (column + j) % _LATTICE
            weight = (fade_y if i else 1 - fade_y) * (fade_x if j else 1 - fade_x)
            along = [part.ravel()[place] for part in directions]
            total = total + weight * (along[0] * (dy - i) + along[1] * (dx - j))
    return total


def _fade(t):
    return t * t * t * (t * (t * 6 - 15) + 10)


def make_texture(
    kind: str, height: int, width: int, rng: np.random.Generator, coloured: bool = True
) -> np.ndarray:
    """Returns a texture of two random colours, float `(height, width, 3)` in [0, 1].

    Args:
        kind: str. One of `TEXTURES`.
        height, width: int, in pixels.
        rng: NumPy generator.
        coloured: bool. `False` gives equal channels.
    """
    y, x = np.mgrid[:height, :width].astype("float64")
    angle, period = rng.uniform(0, math.pi), math.exp(rng.uniform(math.log(3), math.log(24)))
    u = (math.cos(angle) * x + math.sin(angle) * y) / period
    v = (math.cos(angle) * y - math.sin(angle) * x) / period
    if kind == "grain":
        level = _grain(height, width, rng)
    elif kind == "stripes":
        level = 0.5 + 0.5 * np.sin(2 * math.pi * u + perlin_noise(v, u, rng, 1))
    elif kind == "checker":
        level = 0.5 + 0.5 * np.clip(4 * np.sin(math.pi * u) * np.sin(math.pi * v), -1, 1)
    elif kind == "cloud":
        level = 0.5 + 0.7 * perlin_noise(v / 2, u / 2, rng, 4)
    else:
        level = 0.5 + 0.1 * perlin_noise(v, u, rng, 3)
    colours = rng.uniform(0.0, 1.0, (2, 3 if coloured else 1)) * np.ones((2, 3))
    level = np.clip(level, 0.0, 1.0)[..., None]
    return colours[0] + level * (colours[1] - colours[0])


def _grain(height, width, rng):
    """Returns white noise, smoothed by a random amount and scaled to the full range."""
    from scipy import ndimage

    noise = ndimage.gaussian_filter(rng.normal(size=(height, width)), rng.uniform(0.0, 1.5))
    return 0.5 + 0.25 * noise / (np.std(noise) + 1e-6)
