"""Synthetic defects for training, drawn in graph: cut-paste, scar and blend.

One formula draws all three. A point at offset `(dx, dy)` from the defect's center has local
coordinates `(u, v)`, rotated and divided by half the defect's size. It lies inside if its distance
`d = mix(max(|u|, |v|), sqrt(u^2 + v^2)) + waves(u, v)` is below 1. The waves make the edge
irregular: rectangles would only teach the edges of rectangles. Inside, the image is blended with
pixels from elsewhere, which are moved, rotated, scaled and recoloured.
"""

import math

import keras
import numpy as np
from keras import ops

from kerasad.errors import InputError
from kerasad.layers.cells import counting
from kerasad.layers.seeded import SeededLayer
from kerasad.synthetic.regions import draw_region, place_density, reflect, window_mean
from kerasad.synthetic.shared import FEWEST_PIXELS, check_area, check_names

FAMILIES = ("cutpaste", "scar", "blend")

# Lowest and highest value of each parameter, in the order of `FAMILIES`. `aspect` is length to
# height; `roundness` goes from rectangle to ellipse; `waves` is the amplitude of the edge noise,
# `softness` the width of the edge, both in half sizes; `bend` is the sagitta in half lengths;
# `gain` and `shift` change the pasted colour (see `_recolour`).
_RANGES = {
    "aspect": ((0.3, 3.3), (6.0, 25.0), (0.4, 2.5)),
    "roundness": ((0.0, 0.6), (0.0, 1.0), (0.7, 1.0)),
    "waves": ((0.0, 0.2), (0.05, 0.3), (0.15, 0.4)),
    "softness": ((0.0, 0.1), (0.0, 0.5), (0.1, 0.7)),
    "alpha": ((1.0, 1.0), (0.6, 1.0), (0.3, 1.0)),
    "bend": ((0.0, 0.0), (-0.35, 0.35), (-0.2, 0.2)),
    "gain": ((0.6, 1.4), (0.4, 1.6), (0.6, 1.4)),
    "shift": ((-0.7, 0.7), (-1.0, 1.0), (-1.0, 1.0)),
}
_NUM_WAVES = 6
_SMALLEST_CHANGE = 0.02  # mean over a 5 x 5 window, in units of the image's range


@keras.saving.register_keras_serializable(package="kerasad")
class TrainingDefects(SeededLayer):
    """Draws at most one defect on each image of a batch, and returns its mask.

    - cut-paste: a patch of this or another image, moved, rotated and recoloured;
    - scar: the same, but long, thin and bent;
    - blend: a soft-edged, partly transparent blob of this or another image.

    Centers favour structured parts of the image. A defect that is hardly visible is not drawn, so
    slightly fewer images than requested are corrupted.

    Args:
        probability: float in [0, 1]. Share of images that get a defect.
        families: Names out of `"cutpaste"`, `"scar"`, `"blend"`.
        cutpaste_area: Lowest and highest share of the image's area.
        scar_area: Lowest and highest share of the image's area.
        blend_area: Lowest and highest share of the image's area.
        seed: int or None. Seed of the generator, whose state is saved with the layer.

    Call arguments:
        images: float tensor `(batch, height, width, 3)` in [0, 1], height and width known.
        valid: float tensor `(batch, height, width, 1)` or None: no defect is drawn where a
            pixel does not count, see `kerasad.layers.cells.counting`.
        training: bool. `False` returns the images as they are.

    Returns:
        corrupted: float32 tensor `(batch, height, width, 3)`, equal to `images` outside `mask`.
        mask: float32 tensor `(batch, height, width, 1)`, 1 where pixels changed, else 0.
        family: int32 tensor `(batch,)`: 0 none, 1 cut-paste, 2 scar, 3 blend.

    Raises:
        InputError: For a probability outside [0, 1], an unknown family, or a range that is not
            `0 < low <= high <= 1`.

    Reference: cut-paste and scar after Li et al., "CutPaste", CVPR 2021; blend after Schlueter
    et al., "Natural Synthetic Anomalies", ECCV 2022, without its Poisson editing. Departure:
    irregular edges.
    """

    def __init__(
        self,
        probability: float = 0.75,
        families: tuple[str, ...] = FAMILIES,
        cutpaste_area: tuple[float, float] = (0.02, 0.15),
        scar_area: tuple[float, float] = (0.001, 0.015),
        blend_area: tuple[float, float] = (0.003, 0.15),
        seed: int | None = None,
        **kwargs,
    ):
        # Images stay float32 under a mixed-precision policy: differences of 1/255 matter.
        super().__init__(seed, autocast=False, **kwargs)
        if not 0.0 <= probability <= 1.0:
            raise InputError(f"`probability` must lie in [0, 1]. Received: {probability}")
        self.probability = probability
        self.families = check_names("families", families, FAMILIES)
        self.cutpaste_area = check_area("cutpaste_area", cutpaste_area)
        self.scar_area = check_area("scar_area", scar_area)
        self.blend_area = check_area("blend_area", blend_area)

    def build(self, images_shape, valid_shape=None):
        """Creates no weights: the layer's only state is its seed generator."""

    def call(self, images, valid=None, training=True):
        """Returns corrupted images, masks and families; see the class."""
        images = ops.cast(images, "float32")
        batch = ops.shape(images)[0]
        if not training:
            return images, ops.zeros_like(images[..., :1]), ops.zeros((batch,), dtype="int32")
        height, width = images.shape[1:3]
        family = self._draw_family(batch)
        shape = self._draw_shape(family, batch, height, width)
        places = place_density(images, valid)
        center = self._draw_place(places, batch, height, width)
        alpha, offsets = draw_region(shape, center, height, width)
        if valid is not None:
            alpha = alpha * counting(valid)
        patch = self._draw_patch(images, places, offsets)
        change = alpha * (self._recolour(images, patch, shape, batch) - images)
        size = ops.abs(change)
        size = ops.maximum(ops.maximum(size[..., 0], size[..., 1]), size[..., 2])
        mask = ops.logical_and(alpha[..., 0] > 0, window_mean(size) > _SMALLEST_CHANGE)
        drawn = ops.sum(ops.cast(mask, "int32"), axis=(1, 2)) >= FEWEST_PIXELS
        family = ops.where(drawn, family, 0)
        mask = ops.logical_and(mask, ops.reshape(family > 0, (-1, 1, 1)))
        mask = ops.cast(mask, "float32")[..., None]
        return images + mask * change, mask, family

    def _uniform(self, *shape):
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)

    def _draw_family(self, batch):
        """Returns the family numbers `(batch,)`, 0 for images without a defect."""
        numbers = ops.convert_to_tensor([FAMILIES.index(name) + 1 for name in self.families])
        chance = self._uniform(2, batch)
        choice = ops.cast(ops.floor(chance[0] * len(self.families)), "int32")
        family = ops.take(ops.cast(numbers, "int32"), ops.minimum(choice, len(self.families) - 1))
        return ops.where(chance[1] < self.probability, family, 0)

    def _draw_shape(self, family, batch, height, width):
        """Returns a dict of parameters, each `(batch, 1, 1)`, or `(batch, 1, waves)`."""
        low, high = self._parameter_bounds()
        row = ops.maximum(family - 1, 0)
        low, high = ops.take(low, row, axis=0), ops.take(high, row, axis=0)
        drawn = low + (high - low) * self._uniform(batch, low.shape[-1])
        shape = {name: drawn[:, i, None, None] for i, name in enumerate(("area", *_RANGES))}
        area = ops.exp(shape["area"]) * height * width
        aspect = ops.exp(shape["aspect"])
        shape["half_length"] = ops.maximum(0.5 * ops.sqrt(area * aspect), 1.0)
        shape["half_height"] = ops.maximum(0.5 * ops.sqrt(area / aspect), 0.6)
        chance = self._uniform(batch, 1, 3 * _NUM_WAVES + 1)
        shape["angle"] = 2 * math.pi * chance[..., :1]
        waves = ops.split(chance[..., 1:], 3, axis=-1)
        frequency, direction = 1.5 + 6.0 * waves[0] ** 2, 2 * math.pi * waves[1]
        shape["wave_u"] = frequency * ops.cos(direction)
        shape["wave_v"] = frequency * ops.sin(direction)
        shape["wave_phase"] = 2 * math.pi * waves[2]
        # Slow waves are the strongest, as in natural outlines.
        shape["wave_height"] = 1.5 / frequency
        return shape

    def _parameter_bounds(self):
        """Returns low and high, each `(families, parameters)`; area and aspect as logarithms."""
        areas = (self.cutpaste_area, self.scar_area, self.blend_area)
        bounds = np.array([areas, *_RANGES.values()])
        bounds[:2] = np.log(bounds[:2])
        bounds = ops.convert_to_tensor(bounds.swapaxes(0, 1).astype("float32"))
        return bounds[..., 0], bounds[..., 1]

    def _draw_place(self, places, batch, height, width):
        """Returns points `(y, x)`, each `(batch, 1, 1)`, drawn from a density over cells."""
        rows, columns = places.shape[1:3]
        noise = -ops.log(-ops.log(self._uniform(batch, rows * columns) + 1e-12) + 1e-12)
        cell = ops.argmax(ops.reshape(ops.log(places + 1e-12), (-1, rows * columns)) + noise, -1)
        cell = ops.cast(cell, "int32")
        inside = self._uniform(2, batch, 1, 1)
        y = ops.cast(cell // columns, "float32")[:, None, None] + inside[0]
        x = ops.cast(cell % columns, "float32")[:, None, None] + inside[1]
        return y * (height / rows) - 0.5, x * (width / columns) - 0.5

    def _draw_patch(self, images, places, offsets):
        """Returns pixels of this or another image from elsewhere, `(batch, h, w, 3)`."""
        batch = ops.shape(images)[0]
        height, width = images.shape[1:3]
        chance = self._uniform(6, batch, 1, 1)
        step = ops.floor(chance[0] * ops.cast(batch, "float32"))
        # Half of the patches come from the image itself.
        step = ops.cast(ops.where(chance[1] < 0.5, 0.0, step), "int32")
        source = (ops.reshape(ops.arange(batch), (-1, 1, 1)) + step) % batch
        y, x = self._draw_place(ops.take(places, source[:, 0, 0], axis=0), batch, height, width)
        # Quarter turns keep the texture's grain exactly; free rotations give new directions.
        free = chance[2] < 0.5
        turn = ops.where(free, chance[3], ops.floor(4 * chance[3]) / 4) * 2 * math.pi
        scale = ops.where(free, ops.exp(0.7 * (2 * chance[4] - 1)), 1.0)
        mirror = ops.where(chance[5] < 0.5, -1.0, 1.0)
        dy, dx = offsets
        cosine, sine = scale * ops.cos(turn), scale * ops.sin(turn)
        row = reflect(y + sine * mirror * dx + cosine * dy, height)
        column = reflect(x + cosine * mirror * dx - sine * dy, width)
        index = (source * height + row) * width + column
        return ops.take(ops.reshape(images, (-1, 3)), index, axis=0)

    def _recolour(self, images, patch, shape, batch):
        """Returns the patch after gain and shift, which differ by channel on coloured images."""
        # Every fourth pixel is enough for the mean, and to tell whether an image has colour.
        some = images[:, ::4, ::4]
        spread = ops.max(some, axis=-1) - ops.min(some, axis=-1)
        colourful = ops.minimum(ops.mean(spread, axis=(1, 2), keepdims=True) / 0.02, 1.0)
        tint = 0.3 * colourful[..., None] * (2 * self._uniform(batch, 1, 1, 3) - 1)
        gain = shape["gain"][..., None] * (1 + tint)
        # In a rough texture a patch must differ more to be seen. It always differs a little.
        contrast = ops.minimum(0.08 + ops.std(some, axis=(1, 2, 3), keepdims=True), 0.3)
        shift = shape["shift"][..., None]
        shift = contrast * (shift + 0.25 * ops.sign(shift)) + 0.5 * tint
        middle = ops.mean(patch[:, ::4, ::4], axis=(1, 2, 3), keepdims=True)
        return ops.clip(gain * patch + (shift + middle * (1 - gain)), 0.0, 1.0)

    def compute_output_spec(self, images, valid=None, training=True):
        """Returns shapes and dtypes of corrupted images, masks and families."""
        shape = tuple(images.shape)
        return (
            keras.KerasTensor(shape, dtype="float32"),
            keras.KerasTensor((*shape[:-1], 1), dtype="float32"),
            keras.KerasTensor(shape[:1], dtype="int32"),
        )

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "probability": self.probability,
            "families": list(self.families),
            "cutpaste_area": list(self.cutpaste_area),
            "scar_area": list(self.scar_area),
            "blend_area": list(self.blend_area),
        }
