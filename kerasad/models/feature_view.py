"""The features that a model on a frozen backbone works on: one grid of standardized cells."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.backbones import build_backbone, patch_tokens_of
from kerasad.data.geometry import unpack_inputs
from kerasad.errors import InputError
from kerasad.layers.cells import averaged_cells, downsampled_cells
from kerasad.layers.content_grid import align_cells, aligned_region
from kerasad.losses import scale_slices
from kerasad.tracing import compiled_for_batches

_BATCH = 16


class FeatureStatistics:
    """Mean and deviation of each channel, from batches of raw features."""

    def __init__(self):
        self.num_images = 0
        self._count = 0
        self._sum, self._squares, self._origin = 0.0, 0.0, None

    def update(self, features: np.ndarray, counts: np.ndarray | None = None) -> None:
        """Adds a batch, `(batch, h, w, channels)`; of the cells, those where `counts` is not 0."""
        cells = np.asarray(features)
        cells = cells.reshape(-1, cells.shape[-1]) if counts is None else cells[counts > 0]
        cells = cells.astype("float64")
        self.num_images += len(features)
        if not len(cells):
            return
        if self._origin is None:  # sums of squares about 0 would lose digits
            self._origin = cells.mean(axis=0)
        cells = cells - self._origin
        self._count += len(cells)
        self._sum = self._sum + cells.sum(axis=0)
        self._squares = self._squares + np.square(cells).sum(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """The mean of each channel, `(channels,)`."""
        return self._origin + self._sum / self._count

    @property
    def deviation(self) -> np.ndarray:
        """The standard deviation of each channel, `(channels,)`."""
        variance = self._squares / self._count - (self._sum / self._count) ** 2
        return np.sqrt(np.maximum(variance, 0.0))


def batches_of(data) -> Iterator:
    """Yields the model inputs of a dataset, or of arrays cut into batches.

    Raises:
        InputError: If `data` can be read only once, so that `fit` would miss what is read here.
    """
    if isinstance(data, np.ndarray | tf.Tensor | dict):
        data = tf.data.Dataset.from_tensor_slices(data).batch(_BATCH)
    if not hasattr(data, "__iter__") or iter(data) is data:
        raise InputError(
            "The images are read once to measure their features and once more to train: give "
            f"arrays, or a dataset that starts anew each time. Received: {type(data)}"
        )
    for element in data:
        yield keras.utils.unpack_x_y_sample_weight(element)[0]


STRIDE = 8
"""Pixels from cell to cell of the preferred grid, down and across."""


@keras.saving.register_keras_serializable(package="kerasad")
class FeatureView(keras.layers.Layer):
    """Frozen features of several scales, on one grid, each channel of mean 0 and deviation 1.

    The grid is that of the tap nearest to an eighth of the image. Finer taps are averaged within
    each cell, coarser ones interpolated linearly, and all channels concatenated in the order of
    the taps. Where an image is padded, the grid is aligned with its real part (see
    `kerasad.layers.content_grid`), so that padding is never seen. Means and deviations are state:
    `adapt` measures them on good images; until then they are 0 and 1.

    Args:
        backbone: str, see `build_backbone`.
        image_shape: `(height, width, 3)`.
        taps: names of the backbone's features, or None for its own choice.
        weights: as in `build_backbone`.
        architecture: as in `build_backbone`; as an attribute it is also that of a preset or folder.

    Call arguments:
        images: float tensor `(batch, height, width, 3)` in [0, 1].
        valid: float tensor `(batch, height, width, 1)` or None, 0 where an image was padded.

    Returns:
        features: float32 tensor `(batch, *grid, channels)`.
    """

    def __init__(
        self, backbone, image_shape, taps=None, weights="imagenet", architecture=None, **kwargs
    ):
        # Float32 under every policy: experts measure small differences.
        super().__init__(**{"trainable": False, "dtype": "float32", "autocast": False, **kwargs})
        self.backbone_name = backbone
        self.image_shape = tuple(image_shape)
        self.taps = None if taps is None else tuple(taps)
        self.weights_from = weights
        self.backbone = build_backbone(backbone, image_shape, taps, weights, architecture)
        tokens = patch_tokens_of(self.backbone)
        self.architecture = None if tokens is None else tokens.architecture
        self.remark = None if tokens is None else tokens.remark
        """A sentence for the user about how the backbone sees images, or None."""
        shapes = [tensor.shape[1:] for tensor in self.backbone.output.values()]
        wanted = tuple(-(-side // STRIDE) for side in self.image_shape[:2])
        self.grid = min(
            (tuple(shape[:2]) for shape in shapes),
            key=lambda grid: abs(np.log(np.prod(grid) / np.prod(wanted))),
        )
        self.scales = tuple(shape[-1] for shape in shapes)
        """Channels of each tap."""

    def build(self, images_shape=None, valid_shape=None):
        """Creates means, deviations and the count of images that they were measured on."""
        channels = (sum(self.scales),)
        self.mean = self.add_weight(channels, "zeros", name="mean", trainable=False)
        self.deviation = self.add_weight(channels, "ones", name="deviation", trainable=False)
        self.num_images = self.add_weight((), "zeros", name="num_images", trainable=False)

    def call(self, images, valid=None):
        """Returns standardized features; see the class."""
        return self.tensors(images, valid)["features"]

    def raw_features(self, images, valid=None):
        """Returns the features before they are standardized."""
        return self._on_grid(self._raw_taps(images, valid))

    def tensors(self, images, valid=None) -> dict:
        """Returns the features under the names that the experts of a detector read.

        Args:
            images: as in `call`.
            valid: as in `call`.

        Returns:
            tensors: dict of float32 tensors: `features` as in `call`; `features_1`, ..., the
            channels of each tap among them; `tap_1`, ..., the features of each tap on its own
            grid, `(batch, h_1, w_1, channels_1)`, standardized with the means and deviations of
            the common grid.
        """
        tensors, taps = {}, self._raw_taps(images, valid)
        for index, channels in enumerate(scale_slices(self.scales), start=1):
            tap = self._standardized(taps[index - 1], channels)
            tensors |= {f"tap_{index}": tap, f"features_{index}": to_grid(tap, self.grid)}
        # Standardized before they are joined: slices of `features` would be copies.
        scales = [tensors[f"features_{index}"] for index in range(1, len(taps) + 1)]
        return {"features": ops.concatenate(scales, axis=-1), **tensors}

    def _raw_taps(self, images, valid):
        features = self.backbone(ops.cast(images, "float32"), training=False)
        return [align_cells(tap, valid) for tap in features.values()]

    def _on_grid(self, taps):
        return ops.concatenate([to_grid(tap, self.grid) for tap in taps], axis=-1)

    def standardize(self, features):
        """Returns raw features with mean and deviation taken out."""
        return self._standardized(features, slice(None))

    def _standardized(self, features, channels):
        mean, deviation = (
            ops.convert_to_tensor(state)[channels] for state in (self.mean, self.deviation)
        )
        return (ops.cast(features, "float32") - mean) / deviation

    def align_mask(self, mask, valid):
        """Returns the share of defective pixels in each cell, float32 `(batch, *grid, 1)`.

        Args:
            mask: float tensor `(batch, height, width, 1)`, 0 or 1.
            valid: as in `call`.
        """
        return align_cells(downsampled_cells(ops.cast(mask, "float32"), *self.grid), valid)

    def region(self, valid):
        """Returns 1 for cells that count, float32 `(batch, *grid, 1)`; None if all do."""
        return None if valid is None else aligned_region(valid, self.grid)

    def counts(self, valid) -> np.ndarray | None:
        """Returns `region` as an array `(batch, *grid)`, or None."""
        return None if valid is None else np.asarray(self.region(valid))[..., 0]

    @property
    def is_adapted(self) -> bool:
        """Whether means and deviations have been measured."""
        return float(self.num_images) > 0

    def adapt(self, data, max_images: int = 1024) -> None:
        """Measures means and deviations on good images; see `AnomalyModel.adapt`.

        Raises:
            InputError: If there is no image, or `data` can be read only once.
        """
        raw_features = compiled_for_batches(self.raw_features)
        statistics = FeatureStatistics()
        for inputs in batches_of(data):
            images, valid = unpack_inputs(inputs)
            features = raw_features(tf.cast(images, tf.float32), valid)
            statistics.update(features, self.counts(valid))
            if statistics.num_images >= max_images:
                break
        if not statistics.num_images:
            raise InputError("There is no image to measure the features of.")
        self.set_statistics(statistics)

    def set_statistics(self, statistics: FeatureStatistics) -> None:
        """Takes over means and deviations of raw features."""
        deviation = statistics.deviation
        # A channel that is all but constant on good images would drown out all others.
        floor = 0.01 * np.sqrt(np.mean(np.square(deviation))) + 1e-6
        self.mean.assign(statistics.mean.astype("float32"))
        self.deviation.assign(np.maximum(deviation, floor).astype("float32"))
        self.num_images.assign(float(statistics.num_images))

    def compute_output_spec(self, images, valid=None):
        """Returns `(batch, *grid, channels)`, float32."""
        return keras.KerasTensor((images.shape[0], *self.grid, sum(self.scales)), dtype="float32")

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "backbone": self.backbone_name,
            "image_shape": self.image_shape,
            "taps": self.taps,
            "weights": self.weights_from,
            "architecture": self.architecture,
        }


def to_grid(features, grid):
    """Returns features `(batch, h, w, channels)` on a grid: averaged, or interpolated linearly."""
    height, width = features.shape[1:3]
    if (height, width) == tuple(grid):
        return features
    if height >= grid[0] and width >= grid[1]:
        return averaged_cells(features, grid)
    # Antialiasing takes twice the time, and changes nothing where no side gets smaller.
    smaller = height > grid[0] or width > grid[1]
    return ops.image.resize(features, grid, interpolation="bilinear", antialias=smaller)
