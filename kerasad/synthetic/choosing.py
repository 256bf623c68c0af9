"""Synthetic defects for choosing fusion weights, trials of a search, and epochs.

No network trains on them, so a choice by them does not favour a network that knows them. Their
outlines are Perlin noise; inside, the image is replaced, warped or stained.
"""

import dataclasses
import math

import numpy as np

from kerasad.layers.cells import OUTSIDE
from kerasad.synthetic.shared import FEWEST_PIXELS, check_area, check_names, roughness
from kerasad.synthetic.textures import TEXTURES, make_texture, perlin_noise

KINDS = ("texture", "patch", "warp", "stain", "spot")

_SMALLEST_CHANGE = 0.025  # smoothed, in units of the image's range
_SMALLEST_SHARE = 0.25  # of the blob that must change visibly
_ATTEMPTS = 8


@dataclasses.dataclass(frozen=True)
class ChoosingDefects:
    """Draws one defect on every image, and returns the masks.

    - texture: a blob of procedural texture, more or less opaque;
    - patch: a blob of another image, rotated, scaled and recoloured;
    - warp: the image itself, displaced smoothly inside the blob;
    - stain: a soft-edged blob of slightly different brightness and colour;
    - spot: a tiny dark or bright mark.

    Centers favour structured parts of the image. A defect that is hardly visible, such as a warp of
    a fine even texture, is drawn again, and as a spot in the last attempt.

    Args:
        kinds: Names out of `KINDS`, drawn with equal probability.
        area: Lowest and highest share of the image's area, drawn uniformly on a logarithmic scale;
            spots use the lowest tenth of it.

    Raises:
        InputError: For an unknown kind, or areas that are not `0 < low <= high <= 1`.

    Reference: the outlines after Zavrtanik et al., "DRAEM", ICCV 2021. Departures: one region per
    image, of a chosen size; fillings that need no other data set.
    """

    kinds: tuple[str, ...] = KINDS
    area: tuple[float, float] = (0.001, 0.15)

    def __post_init__(self):
        check_names("kinds", self.kinds, KINDS)
        check_area("area", self.area)

    def draw(
        self, images: np.ndarray, seed: int, valid: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the images with one defect each, and the masks.

        Args:
            images: float array `(batch, height, width, 3)` in [0, 1].
            seed: int. The same seed and images give the same defects.
            valid: array `(batch, height, width, 1)` or None: nothing is drawn where
                a pixel does not count, see `kerasad.layers.cells.counting`.

        Returns:
            defective: float32 array `(batch, height, width, 3)`, equal to `images` outside `mask`.
            mask: float32 array `(batch, height, width, 1)`, 1 where pixels changed, else 0. Never
                empty, unless an image has hardly any valid pixels.
        """
        images = np.asarray(images, dtype="float32")
        defective, masks = images.copy(), np.zeros((*images.shape[:3], 1), "float32")
        for i, image in enumerate(images):
            rng = np.random.default_rng([seed, i])
            inside = np.ones(image.shape[:2])
            if valid is not None:
                inside = (np.asarray(valid[i])[..., 0] > OUTSIDE).astype("float32")
            other = images[(i + rng.integers(1, max(len(images), 2))) % len(images)]
            for attempt in range(_ATTEMPTS):
                # A spot of full contrast is the last resort: it is always visible.
                last = attempt == _ATTEMPTS - 1
                kind = "spot" if last else self.kinds[rng.integers(len(self.kinds))]
                changed, alpha = self._draw_one(kind, image, other, inside, rng)
                mask = find_changed(image, changed, alpha > 0, signed=kind == "warp")
                enough = max(FEWEST_PIXELS, _SMALLEST_SHARE * np.count_nonzero(alpha))
                if np.count_nonzero(mask) >= enough or (last and mask.any()):
                    defective[i][mask] = changed[mask]
                    masks[i, ..., 0] = mask
                    break
        return defective, masks

    def _draw_one(self, kind, image, other, inside, rng):
        """Returns the image with a defect of this kind, and its opacity `(height, width)`."""
        low, high = np.log(self.area)
        if kind == "spot":
            high = low + 0.1 * (high - low)
        share = math.exp(rng.uniform(low, high))
        softness = rng.uniform(1.0, 4.0) if kind == "stain" else rng.uniform(0.4, 1.2)
        alpha, center, radius = draw_blob(image, share, softness, inside, rng)
        if kind == "warp":
            return warp(image, alpha, center, radius, rng), alpha
        rough = roughness(image)
        coloured = np.mean(np.ptp(image, axis=-1)) > 0.01
        if kind == "texture":
            texture = TEXTURES[rng.integers(len(TEXTURES))]
            filling = make_texture(texture, *image.shape[:2], rng, coloured)
            # Closer to the colours around it: foreign matter is rarely garish.
            here = np.average(image, axis=(0, 1), weights=np.repeat(alpha[..., None], 3, -1) + 1e-9)
            filling = filling + rng.uniform(0.0, 0.7) * (here - filling)
            alpha = alpha * rng.uniform(min(0.4 + 3 * rough, 1.0), 1.0)
        elif kind == "patch":
            filling = transform_patch(other, center, rng, coloured)
            alpha = alpha * rng.uniform(min(0.6 + 3 * rough, 1.0), 1.0)
        else:
            filling = recolour(image, alpha, rng, coloured, rough, strong=kind == "spot")
        changed = image + alpha[..., None] * (np.clip(filling, 0.0, 1.0) - image)
        return changed.astype("float32"), alpha


def draw_blob(image, share, softness, inside, rng):
    """Returns the opacity of one blob with a Perlin-noise outline, its center and its radius.

    The blob consists of the pixels where noise minus the squared distance from the center is
    largest, in the number given by `share`; of several parts, the largest one.

    Args:
        image: float array `(height, width, 3)`.
        share: float. Share of the image's area.
        softness: float. Width of the edge, in pixels.
        inside: array `(height, width)`, 1 where something may be drawn.
        rng: NumPy generator.

    Returns:
        alpha: float array `(height, width)` in [0, 1].
        center: pair `(y, x)` of floats.
        radius: float, in pixels, of a disc of this area.
    """
    from scipy import ndimage

    height, width = image.shape[:2]
    center = draw_center(image, inside, rng)
    count = min(max(share * height * width, FEWEST_PIXELS), height * width)
    radius = math.sqrt(count / math.pi)
    y, x = np.mgrid[:height, :width].astype("float64")
    angle, stretch = rng.uniform(0, math.pi), math.exp(rng.uniform(0.0, math.log(3.0)))
    dy, dx = (y - center[0]) / radius, (x - center[1]) / radius
    u = (math.cos(angle) * dx + math.sin(angle) * dy) / stretch
    v = (math.cos(angle) * dy - math.sin(angle) * dx) * stretch
    noise = perlin_noise(dy * rng.uniform(0.5, 1.2), dx * rng.uniform(0.5, 1.2), rng)
    level = rng.uniform(0.3, 1.5) * noise - 0.5 * (u * u + v * v)
    threshold = np.partition(level.ravel(), -int(count))[-int(count)]
    parts, number = ndimage.label(level >= threshold)
    sizes = ndimage.sum_labels(np.ones_like(level), parts, np.arange(1, number + 1))
    blob = (parts == 1 + np.argmax(sizes)).astype("float64")
    # The blur is limited by the size of the blob, so that a small soft one does not vanish.
    alpha = ndimage.gaussian_filter(blob, min(softness, 0.4 * radius))
    alpha = np.clip(alpha / max(alpha.max(), 1e-6), 0.0, 1.0)
    return np.where(alpha > 0.02, alpha, 0.0) * (inside > 0), center, radius


def draw_center(image, inside, rng):
    """Returns a point `(y, x)`, drawn half uniformly and half by the gradient nearby."""
    from scipy import ndimage

    brightness = image.mean(axis=-1)
    energy = ndimage.gaussian_gradient_magnitude(brightness, 1.0)
    energy = ndimage.gaussian_filter(energy, 0.03 * math.sqrt(brightness.size))
    density = (energy / (energy.mean() + 1e-6) + 1.0) * (inside > 0)
    chance = np.cumsum(density.ravel())
    place = int(np.searchsorted(chance, rng.uniform() * chance[-1]))
    place = min(place, brightness.size - 1)
    return divmod(place, image.shape[1])


def warp(image, alpha, center, radius, rng):
    """Returns the image displaced inside the blob: shifted, swollen, twisted or crumpled."""
    from scipy import ndimage

    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype("float64")
    dy, dx = y - center[0], x - center[1]
    # No displacement at the edge, so that the blob joins its surroundings.
    fade = ndimage.gaussian_filter(alpha, 0.3 * radius) * (alpha > 0)
    kind, strength = rng.integers(4), rng.uniform(0.4, 0.9) * rng.choice((-1.0, 1.0))
    if kind == 0:
        angle = rng.uniform(0, 2 * math.pi)
        shift = strength * radius * math.sin(angle), strength * radius * math.cos(angle)
    elif kind == 1:
        shift = strength * dy, strength * dx
    elif kind == 2:
        shift = 1.5 * strength * dx, -1.5 * strength * dy
    else:
        # Amplitudes near the wavelength crumple the image; larger ones would shred it.
        wave = radius / rng.uniform(1.0, 3.0)
        shift = [strength * wave * perlin_noise(dy / wave, dx / wave, rng, 1) for _ in "yx"]
    return _resample(image, y + fade * shift[0], x + fade * shift[1]).astype("float32")


def _resample(image, y, x):
    """Returns the image at these positions, interpolated, and mirrored at its borders."""
    from scipy import ndimage

    channels = [
        ndimage.map_coordinates(c, [y, x], order=1, mode="mirror") for c in image.T.swapaxes(1, 2)
    ]
    return np.stack(channels, axis=-1)


def transform_patch(other, center, rng, coloured):
    """Returns another image rotated, scaled, blurred or sharpened, and recoloured."""
    from scipy import ndimage

    height, width = other.shape[:2]
    y, x = np.mgrid[:height, :width].astype("float64")
    source = draw_center(other, np.ones(other.shape[:2]), rng)
    angle, scale = rng.uniform(0, 2 * math.pi), math.exp(rng.uniform(-1.0, 1.0))
    dy, dx = scale * (y - center[0]), scale * (x - center[1])
    patch = _resample(
        other,
        source[0] + math.cos(angle) * dy + math.sin(angle) * dx,
        source[1] - math.sin(angle) * dy + math.cos(angle) * dx,
    )
    smooth = ndimage.gaussian_filter(patch, (1.5, 1.5, 0))
    patch = smooth + rng.uniform(0.0, 2.0) * (patch - smooth)
    if coloured:
        patch = patch[..., rng.permutation(3)]
    if rng.uniform() < 0.3:
        patch = 1.0 - patch
    mean = patch.mean()
    return mean + rng.uniform(0.5, 1.8) * (patch - mean) + rng.uniform(-0.2, 0.2)


def recolour(image, alpha, rng, coloured, rough, strong):
    """Returns the image darker or brighter, and of another tint; more so if `strong`."""
    size = rng.uniform(0.25, 0.6) if strong else rng.uniform(0.06, 0.25) + rough
    tint = rng.uniform(-0.6, 0.6, 3) if coloured else np.zeros(3)
    weight = alpha[..., None]
    mean = np.sum(weight * image) / (3 * np.sum(weight) + 1e-6)
    # Away from the nearer end of the range, so that there is room for a change.
    sign = -1.0 if rng.uniform() < np.clip(2.0 * mean - 0.5, 0.0, 1.0) else 1.0
    return image + size * (sign + tint)


def find_changed(image, changed, region, signed=False):
    """Returns a bool array `(height, width)`: the pixels of `region` with a visible change.

    The change is smoothed by a fourteenth of the region's size, so that the mask has no holes where
    two textures happen to agree.

    Args:
        image, changed: float arrays `(height, width, 3)`.
        region: bool array `(height, width)`.
        signed: bool. Whether gains and losses cancel: a texture replaced by the same texture then
            counts as unchanged.
    """
    from scipy import ndimage

    difference = (changed - image) * region[..., None]
    if signed:
        difference = ndimage.gaussian_filter(difference, (1.5, 1.5, 0))
    sigma = max(1.0, math.sqrt(np.count_nonzero(region)) / 14)
    size = ndimage.gaussian_filter(np.abs(difference).max(axis=-1), sigma)
    return region & (size > _SMALLEST_CHANGE)
