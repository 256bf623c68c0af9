"""Brings the maps of different experts to one scale, from good images."""

import keras
import numpy as np
from keras import ops

# The scale at a place never falls below this share of the scale over all places.
SCALE_FLOOR = 0.3
# Places are kept on a grid of this many pixels; neighbours are smoothed with this sigma (cells).
GRID_STRIDE = 4
GRID_SIGMA = 2.0


@keras.saving.register_keras_serializable(package="kerasad")
class MapCalibration(keras.layers.Layer):
    """Standardizes expert maps, once over all places and once place by place.

    Over all places: `asinh((map - mean) / scale)`. Place by place: `asinh((map - mean(y, x)) /
    scale(y, x))` with `scale(y, x) = sqrt((n v(y, x) + scale^2) / (n + 1)) + 0.3 * scale`, `v` the
    smoothed variance of `n` images at the place: what is unusual here. All are state, measured on
    good validation images. `asinh(x)` is about `x` near 0 and grows like `log(2 |x|)` far from it,
    so that experts with long tails do not drown the others in a sum; the order of one expert's
    values stays.

    Args:
        image_size: `(height, width)` of the maps.
        num_experts: int.
        position_free: bool. Whether a place means nothing; both standardizations are then one.
        stride: int. Places are kept for each `stride x stride` pixels (or cells) of a map.
        sigma: float. Deviation of the Gaussian that smooths them, in places.

    Call arguments:
        maps: float32 tensor `(batch, height, width, num_experts)`.

    Returns:
        pair of float32 tensors of the same shape: the mean of both standardizations, for the
        pixels of a map, and the one by place alone, for the score of an image.
    """

    def __init__(
        self,
        image_size,
        num_experts,
        position_free=False,
        stride=GRID_STRIDE,
        sigma=GRID_SIGMA,
        **kwargs,
    ):
        super().__init__(**{"trainable": False, **kwargs})
        self.image_size = tuple(image_size)
        self.num_experts = num_experts
        self.position_free = position_free
        self.stride = stride
        self.sigma = sigma
        self.grid = tuple(-(-side // stride) for side in self.image_size)

    def build(self, input_shape=None):
        """Creates means and scales."""
        options = {"trainable": False, "dtype": "float32", "autocast": False}
        self.mean = self.add_weight((self.num_experts,), "zeros", name="mean", **options)
        self.scale = self.add_weight((self.num_experts,), "ones", name="scale", **options)
        if not self.position_free:
            shape = (1, *self.grid, self.num_experts)
            self.place_mean = self.add_weight(shape, "zeros", name="place_mean", **options)
            self.place_scale = self.add_weight(shape, "ones", name="place_scale", **options)

    def call(self, maps):
        """Returns standardized maps for pixels and for the score; see the class."""
        everywhere = ops.arcsinh((maps - self.mean) / self.scale)
        if self.position_free:
            return everywhere, everywhere
        by_place = (maps - self._full(self.place_mean)) / self._full(self.place_scale)
        by_place = ops.arcsinh(by_place)
        # Comparable across places, yet knowing what is usual here: on synthetic defects the mean
        # did better than either half.
        return 0.5 * (everywhere + by_place), by_place

    def _full(self, grid):
        if self.stride == 1:
            return ops.convert_to_tensor(grid)
        # The last cells may reach beyond the image, so it is cut out of what the cells cover.
        covered = tuple(self.stride * side for side in self.grid)
        full = ops.image.resize(ops.convert_to_tensor(grid), covered, interpolation="bilinear")
        return full[:, : self.image_size[0], : self.image_size[1]]

    def start(self):
        """Sets the sums to 0."""
        self._sums = np.zeros((3, *self.grid, self.num_experts))
        self._images = 0

    def update(self, maps, valid=None):
        """Adds the maps of a batch of good images; `valid` as of the detector's inputs."""
        for index, image_maps in enumerate(np.asarray(maps)):  # one by one: float64 is large
            values = image_maps.astype("float64")
            weights = np.ones((*values.shape[:2], 1)) if valid is None else np.asarray(valid[index])
            for power in range(3):
                self._sums[power] += _cell_sums(weights * values**power, self.stride)
            self._images += 1

    def finish(self):
        """Sets means and scales from the sums."""
        count, total, squares = self._sums
        mean = total.sum(axis=(0, 1)) / count.sum(axis=(0, 1))
        variance = squares.sum(axis=(0, 1)) / count.sum(axis=(0, 1)) - mean**2
        # An expert that is constant on good images keeps a scale that divides by nothing tiny.
        scale = np.sqrt(np.maximum(variance, 1e-12 + 1e-8 * mean**2))
        self.mean.assign(mean.astype("float32"))
        self.scale.assign(scale.astype("float32"))
        if not self.position_free:
            self._finish_places(count, total, squares, mean, scale)
        del self._sums, self._images

    def _finish_places(self, count, total, squares, mean, scale):
        from scipy.ndimage import gaussian_filter

        def smooth(values):
            return gaussian_filter(values, sigma=(self.sigma, self.sigma, 0), mode="nearest")

        # A place that only padding was seen at is taken for an average one.
        seen, count = count > 0, np.maximum(count, 1e-12)
        place_mean = np.where(seen, total / count, mean)
        variance = np.maximum(squares / count - place_mean**2, 0.0)
        place_mean, variance = smooth(place_mean), smooth(np.where(seen, variance, scale**2))
        # One image has no spread at a place, so the overall spread counts as one image more.
        variance = (self._images * variance + scale**2) / (self._images + 1)
        self.place_mean.assign(place_mean[None].astype("float32"))
        self.place_scale.assign((np.sqrt(variance) + SCALE_FLOOR * scale)[None].astype("float32"))

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "num_experts": self.num_experts,
            "position_free": self.position_free,
            "stride": self.stride,
            "sigma": self.sigma,
        }


def build_map_calibration(image_size, cell_grid, num_experts, keep_aspect) -> MapCalibration:
    """Returns the built calibration of maps of pixels or, with a `cell_grid`, of cells.

    The smoothing between places is the same then: 8 pixels, or a cell of so many. Places mean
    something but in padded maps of pixels; images put together of tiles have theirs.
    """
    if cell_grid is None:
        calibration = MapCalibration(image_size, num_experts, keep_aspect, dtype="float32")
    else:
        options = {"stride": 1, "sigma": 1.0, "dtype": "float32"}
        calibration = MapCalibration(cell_grid, num_experts, **options)
    calibration.build()
    return calibration


def _cell_sums(values, stride):
    """Returns the sums of `(H, W, c)` values in each cell of that side; edge cells are smaller."""
    rows, columns = (np.arange(0, side, stride) for side in values.shape[:2])
    return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
