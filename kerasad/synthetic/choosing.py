"""Synthetic defects for choosing: fusion weights, searches, curves over epochs.

No network ever trains on them, so that what is chosen by them isn't chosen for knowing them.
Their outlines are Perlin noise; they are filled with foreign texture, warped, stained or spotted.
"""

import dataclasses
import math

import numpy as np

from kerasad.errors import InputError
from kerasad.synthetic.textures import TEXTURES, make_texture, perlin_noise

KINDS = ("texture", "patch", "warp", "stain", "spot")

_SMALLEST_CHANGE = 0.025  # smoothed, in units of the image's range
_SMALLEST_SHARE = 0.25  # of the blob that must change visibly
_FEWEST_PIXELS = 4
_ATTEMPTS = 8


@dataclasses.dataclass(frozen=True)
class ChoosingDefects:
    """Draws one defect on every image, and says where it is.

    - texture: a blob of procedural texture, more or less opaque;
    - patch: a blob of another image, turned, scaled and recoloured;
    - warp: the image itself, displaced smoothly inside the blob;
    - stain: brightness and colour slightly off, with a soft edge;
    - spot: a tiny dark or bright mark.

    Centers favour places where the image has structure. What could hardly be seen, such as a
    warp of a fine even texture, is drawn again, at last as a spot.

    Args:
        kinds: names out of `KINDS`, drawn with equal chance.
        area: lowest and highest share of the image's area, drawn evenly on a logarithmic scale;
            spots take the lowest tenth of it.

    Raises:
        InputError: For an unknown kind, or areas that are not `0 < low <= high <= 1`.

    Reference: the outlines after Zavrtanik et al., "DRAEM", ICCV 2021. Departures: one region an
    image, of a chosen size; fillings that need no other data set.
    """

    kinds: tuple[str, ...] = KINDS
    area: tuple[float, float] = (0.001, 0.15)

    def __post_init__(self):
        if not self.kinds or not set(self.kinds) <= set(KINDS):
            raise InputError(f"`kinds` must be names out of {KINDS}. Received: {self.kinds}")
        low, high = self.area
        if not 0.0 < low <= high <= 1.0:
            raise InputError(
                f"`area` must be (low, high) with 0 < low <= high <= 1. Received: {self.area}"
            )

    def draw(
        self, images: np.ndarray, seed: int, valid: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the images with one defect each, and the masks.

        Args:
            images: float array `(batch, height, width, 3)` in [0, 1].
            seed: int. The same seed and images give the same defects.
            valid: array `(batch, height, width, 1)` or None: 1 = real pixel, 0 = padding, where
                nothing is drawn.

        Returns:
            defective: float32 array `(batch, height, width, 3)`, equal to `images` outside `mask`.
            mask: float32 array `(batch, height, width, 1)`, 1 where pixels changed, else 0. Never
                empty, unless an image has hardly a valid pixel.
        """
        images = np.asarray(images, dtype="float32")
        defective, masks = images.copy(), np.zeros((*images.shape[:3], 1), "float32")
        for i, image in enumerate(images):
            rng = np.random.default_rng([seed, i])
            inside = np.ones(image.shape[:2]) if valid is None else np.asarray(valid[i])[..., 0]
            other = images[(i + rng.integers(1, max(len(images), 2))) % len(images)]
            for attempt in range(_ATTEMPTS):
                # A spot of full contrast is the last resort: it can always be seen.
                last = attempt == _ATTEMPTS - 1
                kind = "spot" if last else self.kinds[rng.integers(len(self.kinds))]
                changed, alpha = self._draw_one(kind, image, other, inside, rng)
                mask = find_changed(image, changed, alpha > 0, signed=kind == "warp")
                enough = max(_FEWEST_PIXELS, _SMALLEST_SHARE * np.count_nonzero(alpha))
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
            # Towards the colours of the place: foreign matter is rarely garish.
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

    The blob is where noise minus the squared distance from the center is largest, as many pixels
    as asked for; of several parts the largest one.

    Args:
        image: float array `(height, width, 3)`.
        share: float. Area, as a share of the image's.
        softness: float. Width of the edge, in pixels.
        inside: array `(height, width)`, 1 where something may be drawn.
        rng: generator.

    Returns:
        alpha: float array `(height, width)` in [0, 1].
        center: pair `(y, x)` of floats.
        radius: float, in pixels, of a disc of this area.
    """
    from scipy import ndimage

    height, width = image.shape[:2]
    center = draw_center(image, inside, rng)
    count = min(max(share * height * width, _FEWEST_PIXELS), height * width)
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
    # Blurred by its own size at most: a small soft blob must not vanish.
    alpha = ndimage.gaussian_filter(blob, min(softness, 0.4 * radius))
    alpha = np.clip(alpha / max(alpha.max(), 1e-6), 0.0, 1.0)
    return np.where(alpha > 0.02, alpha, 0.0) * (inside > 0), center, radius


def draw_center(image, inside, rng):
    """Returns a point `(y, x)`: half evenly, half by the strength of the gradient nearby."""
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
    """Returns the image displaced inside the blob: pushed, swollen, turned or crumpled."""
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
        # Heights of about the wavelength crumple; larger ones would only shred.
        wave = radius / rng.uniform(1.0, 3.0)
        shift = [strength * wave * perlin_noise(dy / wave, dx / wave, rng, 1) for _ in "yx"]
    where = [y + fade * shift[0], x + fade * shift[1]]
    channels = [
        ndimage.map_coordinates(c, where, order=1, mode="mirror") for c in image.T.swapaxes(1, 2)
    ]
    return np.stack(channels, axis=-1).astype("float32")


def transform_patch(other, center, rng, coloured):
    """Returns another image turned, scaled, blurred or sharpened, and recoloured."""
    from scipy import ndimage

    height, width = other.shape[:2]
    y, x = np.mgrid[:height, :width].astype("float64")
    source = draw_center(other, np.ones(other.shape[:2]), rng)
    angle, scale = rng.uniform(0, 2 * math.pi), math.exp(rng.uniform(-1.0, 1.0))
    dy, dx = scale * (y - center[0]), scale * (x - center[1])
    where = [
        source[0] + math.cos(angle) * dy + math.sin(angle) * dx,
        source[1] - math.sin(angle) * dy + math.cos(angle) * dx,
    ]
    channels = [
        ndimage.map_coordinates(c, where, order=1, mode="mirror") for c in other.T.swapaxes(1, 2)
    ]
    patch = np.stack(channels, axis=-1)
    smooth = ndimage.gaussian_filter(patch, (1.5, 1.5, 0))
    patch = smooth + rng.uniform(0.0, 2.0) * (patch - smooth)
    if coloured:
        patch = patch[..., rng.permutation(3)]
    if rng.uniform() < 0.3:
        patch = 1.0 - patch
    mean = patch.mean()
    return mean + rng.uniform(0.5, 1.8) * (patch - mean) + rng.uniform(-0.2, 0.2)


def roughness(image):
    """Returns how far the image departs from its own blur: what a subtle defect drowns in."""
    from scipy import ndimage

    return float(np.std(image - ndimage.gaussian_filter(image, (2.0, 2.0, 0))))


def recolour(image, alpha, rng, coloured, rough, strong):
    """Returns the image darker or brighter, and of another tint; further off if `strong`."""
    size = rng.uniform(0.25, 0.6) if strong else rng.uniform(0.06, 0.25) + rough
    tint = rng.uniform(-0.6, 0.6, 3) if coloured else np.zeros(3)
    weight = alpha[..., None]
    mean = np.sum(weight * image) / (3 * np.sum(weight) + 1e-6)
    # Away from the nearer end of the range, where there is room for a change.
    sign = -1.0 if rng.uniform() < np.clip(2.0 * mean - 0.5, 0.0, 1.0) else 1.0
    return image + size * (sign + tint)


def find_changed(image, changed, region, signed=False):
    """Returns a bool array `(height, width)`: the places in `region` whose change can be seen.

    The change is smoothed by a seventh of the region's size, so that the mask has no holes where
    two textures happen to agree.

    Args:
        image, changed: float arrays `(height, width, 3)`.
        region: bool array `(height, width)`.
        signed: bool. Whether gains and losses cancel: then a texture replaced by the same texture
            counts as unchanged.
    """
    from scipy import ndimage

    difference = (changed - image) * region[..., None]
    if signed:
        difference = ndimage.gaussian_filter(difference, (1.5, 1.5, 0))
    sigma = max(1.0, math.sqrt(np.count_nonzero(region)) / 14)
    size = ndimage.gaussian_filter(np.abs(difference).max(axis=-1), sigma)
    return region & (size > _SMALLEST_CHANGE)
