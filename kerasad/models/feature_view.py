"""What a model on pretrained features sees of an image: one grid of standardized features."""

import keras
import numpy as np
from keras import ops

from kerasad.backbones import build_backbone
from kerasad.layers.content_grid import align_cells
from kerasad.losses import scale_slices
from kerasad.models.networks import averaged_cells, downsampled_cells

STRIDE = 8
"""Pixels between the cells of the grid, down and across, if a tap has such a grid."""


@keras.saving.register_keras_serializable(package="kerasad")
class FeatureView(keras.layers.Layer):
    """Frozen features of several scales, on one grid, each channel of mean 0 and deviation 1.

    The grid is that of the tap nearest to an eighth of the image. Finer taps are averaged in each
    cell, coarser ones interpolated linearly, and all channels concatenated in the order of the
    taps. Where an image is padded, the grid is aligned with its real part, see
    `kerasad.layers.content_grid`: padding is never seen. Means and deviations are state, set once
    from good images; before that they are 0 and 1.

    Args:
        backbone: str, see `build_backbone`.
        image_shape: `(height, width, 3)`.
        taps: names of the backbone's features, or None for its own choice.
        weights: as of `build_backbone`.

    Call arguments:
        images: float tensor `(batch, height, width, 3)` in [0, 1].
        valid: float tensor `(batch, height, width, 1)` or None, 0 where an image was padded.

    Returns:
        features: float32 tensor `(batch, *grid, channels)`.
    """

    def __init__(self, backbone, image_shape, taps=None, weights="imagenet", **kwargs):
        # Float32 under every policy: experts measure small differences.
        super().__init__(**{"trainable": False, "dtype": "float32", "autocast": False, **kwargs})
        self.backbone_name = backbone
        self.image_shape = tuple(image_shape)
        self.taps = None if taps is None else tuple(taps)
        self.weights_from = weights
        self.backbone = build_backbone(backbone, image_shape, taps, weights)
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
        return self.standardize(self.raw_features(images, valid))

    def raw_features(self, images, valid=None):
        """Returns the features before they are standardized."""
        return self._on_grid(self._raw_taps(images, valid))

    def describe(self, images, valid=None):
        """Returns standardized features, and those of each tap on a grid of its own.

        Args:
            images: as of `call`.
            valid: as of `call`.

        Returns:
            features: as of `call`.
            taps: list of float32 tensors `(batch, h, w, channels)`, in the order of the taps, with
            the means and deviations of the grid's cells taken out.
        """
        taps = self._raw_taps(images, valid)
        own = [
            self._standardized(tap, channels)
            for tap, channels in zip(taps, scale_slices(self.scales), strict=True)
        ]
        return self.standardize(self._on_grid(taps)), own

    def _raw_taps(self, images, valid):
        features = self.backbone(ops.cast(images, "float32"), training=False)
        return [align_cells(tap, valid) for tap in features.values()]

    def _on_grid(self, taps):
        return ops.concatenate([_to_grid(tap, self.grid) for tap in taps], axis=-1)

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
            valid: as of `call`.
        """
        return align_cells(downsampled_cells(ops.cast(mask, "float32"), *self.grid), valid)

    @property
    def is_adapted(self) -> bool:
        """Whether means and deviations were measured."""
        return float(self.num_images) > 0

    def set_statistics(self, mean, deviation, num_images: int) -> None:
        """Sets means and deviations of the raw features of good images."""
        deviation = np.asarray(deviation)
        # A channel that is all but constant on good images would else be all that is seen.
        floor = 0.01 * np.sqrt(np.mean(np.square(deviation))) + 1e-6
        self.mean.assign(np.asarray(mean, "float32"))
        self.deviation.assign(np.maximum(deviation, floor).astype("float32"))
        self.num_images.assign(float(num_images))

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
        }


class FeatureStatistics:
    """Mean and deviation of each channel, from batches of raw features, in constant memory."""

    def __init__(self):
        self._count, self._images = 0, 0
        self._sum, self._squares, self._origin = 0.0, 0.0, None

    def update(self, features: np.ndarray) -> None:
        """Adds a batch, `(batch, h, w, channels)`."""
        cells = np.asarray(features).reshape(-1, features.shape[-1]).astype("float64")
        if self._origin is None:  # sums of squares about 0 would lose digits
            self._origin = cells.mean(axis=0)
        cells = cells - self._origin
        self._count += len(cells)
        self._images += len(features)
        self._sum = self._sum + cells.sum(axis=0)
        self._squares = self._squares + np.square(cells).sum(axis=0)

    def assign_to(self, view: FeatureView) -> None:
        """Sets the statistics of a view."""
        mean = self._sum / self._count
        variance = np.maximum(self._squares / self._count - mean**2, 0.0)
        view.set_statistics(self._origin + mean, np.sqrt(variance), self._images)

    @property
    def num_images(self) -> int:
        """Images seen."""
        return self._images


def _to_grid(features, grid):
    height, width = features.shape[1:3]
    if (height, width) == tuple(grid):
        return features
    if height >= grid[0] and width >= grid[1]:
        return averaged_cells(features, grid)
    return ops.image.resize(features, grid, interpolation="bilinear", antialias=True)
