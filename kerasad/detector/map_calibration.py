"""Brings the maps of different experts to one scale, from good images."""

import keras
import numpy as np
from keras import ops

from kerasad.errors import InputError, NotFiniteError
from kerasad.precision import add_state

SCALE_FLOOR = 0.3
"""The scale at a place never falls below this share of the scale over all places."""
GRID_STRIDE = 4
"""Pixels, down and across, that are one place."""
GRID_SIGMA = 2.0
"""Deviation of the Gaussian that smooths what is known of places, in places."""


@keras.saving.register_keras_serializable(package="kerasad")
class MapCalibration(keras.layers.Layer):
    """Standardizes expert maps, once over all places and once place by place.

    Over all places: `asinh((map - mean) / scale)`. Place by place: `asinh((map - mean(y, x)) /
    scale(y, x))` with `scale(y, x) = sqrt((n v(y, x) + scale^2) / (n + 1)) + 0.3 * scale`, where
    `v` is the smoothed variance of `n` images at the place: it says what is unusual here. Means and
    scales are state, measured on good validation images, and so are the sums that they follow from.
    `asinh(x)` is about `x` near 0 and grows like `log(2 |x|)` far from it, so that experts with
    long tails do not drown the others in a sum. The order of one expert's values stays.

    For pixels, experts that know no places count over all places alone: where good images are quiet
    here, the same distance is no more unusual to them.

    Args:
        image_size: `(height, width)` of the maps.
        num_experts: int.
        know_places: list of bool, see `Expert.knows_places`, or None if all experts do.
        position_free: bool. Whether a place means nothing; both standardizations are then one.
        stride: int. Places are kept for each `stride x stride` pixels (or cells) of a map.
        sigma: float. Deviation of the Gaussian that smooths them, in places.

    Call arguments:
        maps: float32 tensor `(batch, height, width, num_experts)`.

    Returns:
        pair of float32 tensors of the same shape: the mean of both standardizations (or the one
        over all places alone, see above), for the pixels of a map, and the one by place alone, for
        the score of an image.
    """

    def __init__(
        self,
        image_size,
        num_experts,
        position_free=False,
        stride=GRID_STRIDE,
        sigma=GRID_SIGMA,
        know_places=None,
        **kwargs,
    ):
        super().__init__(**{"trainable": False, **kwargs})
        self.image_size = tuple(image_size)
        self.num_experts = num_experts
        self.know_places = [True] * num_experts if know_places is None else list(know_places)
        self.position_free = position_free
        self.stride = stride
        self.sigma = sigma
        self.grid = tuple(-(-side // stride) for side in self.image_size)

    def build(self, input_shape=None):
        """Creates means and scales."""
        grid = (1, 1) if self.position_free else self.grid
        sums = (3, *grid, self.num_experts)
        self.sums = add_state(self, "sums", sums, dtype="float64")
        self.num_images = add_state(self, "num_images")
        self.mean = add_state(self, "mean", (self.num_experts,))
        self.scale = add_state(self, "scale", (self.num_experts,), 1.0)
        if not self.position_free:
            shape = (1, *self.grid, self.num_experts)
            self.place_mean = add_state(self, "place_mean", shape)
            self.place_scale = add_state(self, "place_scale", shape, 1.0)

    def call(self, maps):
        """Returns standardized maps for pixels and for the score; see the class."""
        everywhere = ops.arcsinh((maps - self.mean) / self.scale)
        if self.position_free:
            return everywhere, everywhere
        by_place = (maps - self._full(self.place_mean)) / self._full(self.place_scale)
        by_place = ops.arcsinh(by_place)
        # Comparable across places, yet aware of what is usual here: on synthetic defects the mean
        # was better than either half.
        share = 0.5 * ops.convert_to_tensor(self.know_places, "float32")
        return everywhere + share * (by_place - everywhere), by_place

    def _full(self, grid):
        if self.stride == 1:
            return ops.convert_to_tensor(grid)
        # The last cells may reach beyond the image.
        covered = tuple(self.stride * side for side in self.grid)
        full = ops.image.resize(ops.convert_to_tensor(grid), covered, interpolation="bilinear")
        return full[:, : self.image_size[0], : self.image_size[1]]

    @property
    def measured(self) -> tuple[np.ndarray, int]:
        """The sums and the number of images that means and scales were made of."""
        return np.asarray(self.sums), int(self.num_images)

    def measure(self, batches, former: tuple[np.ndarray, int] | None = None) -> None:
        """Sets means and scales from the maps of good images.

        Args:
            batches: iterable of pairs of maps `(batch, height, width, num_experts)` and `valid`:
                `(batch, height, width, 1)`, 0 where an image was padded, or None.
            former: what was `measured` on further images, or None.

        Raises:
            InputError: If there is no image.
            NotFiniteError: If a map is not finite.
        """
        sums, num_images = np.zeros((3, *self.grid, self.num_experts)), 0
        for maps, valid in batches:
            for index, image_maps in enumerate(np.asarray(maps)):  # one by one: float64 is large
                values, weights = image_maps.astype("float64"), np.ones((*maps.shape[1:3], 1))
                if valid is not None:
                    weights = np.asarray(valid[index])
                for power in range(3):
                    sums[power] += _cell_sums(weights * values**power, self.stride)
                num_images += 1
        if not num_images:
            raise InputError("There is no validation image to measure scales on.")
        if not np.all(np.isfinite(sums)):
            raise NotFiniteError(
                "The maps of validation images are not finite (NaN or infinite): the weights of "
                "the model are damaged, so train again."
            )
        if self.position_free:
            sums = sums.sum(axis=(1, 2), keepdims=True)
        if former is not None:
            sums, num_images = sums + former[0], num_images + former[1]
        self.sums.assign(sums)
        self.num_images.assign(float(num_images))
        count, total, squares = sums
        mean = total.sum(axis=(0, 1)) / count.sum(axis=(0, 1))
        variance = squares.sum(axis=(0, 1)) / count.sum(axis=(0, 1)) - mean**2
        # An expert that is constant on good images keeps a scale that is not tiny.
        scale = np.sqrt(np.maximum(variance, 1e-12 + 1e-8 * mean**2))
        self.mean.assign(mean.astype("float32"))
        self.scale.assign(scale.astype("float32"))
        if not self.position_free:
            place_mean, place_scale = self._places(sums, num_images, mean, scale)
            self.place_mean.assign(place_mean[None].astype("float32"))
            self.place_scale.assign(place_scale[None].astype("float32"))

    def take(self, other: "MapCalibration") -> None:
        """Takes over the means and scales that another one has measured."""
        for own, value in zip(self.variables, other.variables, strict=True):
            own.assign(value)

    def _places(self, sums, num_images, mean, scale):
        """Returns mean and scale at each place, `(*grid, num_experts)`."""
        from scipy.ndimage import gaussian_filter

        def smooth(values):
            return gaussian_filter(values, sigma=(self.sigma, self.sigma, 0), mode="nearest")

        count, total, squares = sums
        # A place where only padding was seen is taken for an average one.
        seen, count = count > 0, np.maximum(count, 1e-12)
        place_mean = np.where(seen, total / count, mean)
        variance = np.maximum(squares / count - place_mean**2, 0.0)
        place_mean, variance = smooth(place_mean), smooth(np.where(seen, variance, scale**2))
        # One image has no spread at a place, so the overall spread counts as one more image.
        variance = (num_images * variance + scale**2) / (num_images + 1)
        return place_mean, np.sqrt(variance) + SCALE_FLOOR * scale

    def get_config(self):
        """Returns the arguments of `__init__`."""
        names = ("image_size", "num_experts", "position_free", "stride", "sigma", "know_places")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def build_map_calibration(image_size, cell_grid, experts, keep_aspect) -> MapCalibration:
    """Returns the built calibration of experts' maps of pixels or, with a `cell_grid`, of cells.

    Both smooth over the same distance: 8 pixels, or one cell of 8 pixels. Places mean something
    except in padded maps of pixels; tiles are merged before.
    """
    options = {"know_places": [expert.knows_places for expert in experts], "dtype": "float32"}
    if cell_grid is None:
        calibration = MapCalibration(image_size, len(experts), keep_aspect, **options)
    else:
        calibration = MapCalibration(cell_grid, len(experts), stride=1, sigma=1.0, **options)
    calibration.build()
    return calibration


def _cell_sums(values, stride):
    """Returns the sums of `(H, W, c)` values in each cell of that side; edge cells are smaller."""
    rows, columns = (np.arange(0, side, stride) for side in values.shape[:2])
    return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
