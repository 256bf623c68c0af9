"""A Gaussian mixture of patches, at each level of a pyramid of grey values."""

import keras
import numpy as np
from keras import ops

from kerasad.baselines.mixture_density import MixtureDensity
from kerasad.data.geometry import unpack_inputs
from kerasad.errors import InputError, check_whole, checked_image_shape
from kerasad.layers.cells import valid_cells
from kerasad.models.arguments import SMALLEST_SIDE
from kerasad.models.base import AnomalyModel
from kerasad.models.feature_view import batches_of

_GREY = (0.299, 0.587, 0.114)


@keras.saving.register_keras_serializable(package="kerasad")
class GaussianMixture(AnomalyModel):
    """Density of the patches of good images, by a Gaussian mixture at each level of a pyramid.

    The image in grey is halved `levels - 1` times. At each pixel of each level, the patch of
    `patch_size` x `patch_size` pixels around it, without its mean over all patches, is projected to
    its `components` largest principal components, divided by their deviations: the feature `f`. A
    mixture of `mixtures` Gaussians of full covariance gives its density

    `log p(f) = log sum over k of w_k N(f; m_k, S_k)`.

    Map: `-log p(f)`, interpolated linearly to the image's size and summed over the levels, as if
    these were independent; the score of an image is its maximum. Nothing is trained by gradients:
    `adapt` takes a random sample of patches of each level, scikit-learn fits the mixtures, and
    their numbers become weights of this model.

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        levels: int. Levels of the pyramid, as long as a side has `patch_size` pixels.
        patch_size: int, odd.
        components: int. Numbers of a feature.
        mixtures: int. Gaussians of a mixture.
        sample_patches: int. Patches of each level that a mixture is fitted to, at most.
        seed: int >= 0 or None. Of the sample and of the mixtures' start.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1]; or a dict of `images`
            and `valid`, see `AnomalyModel.tensors`.

    Returns:
        log_density: list of float32 tensors `(batch, h, w, 1)`, one for each level, finest first.

    Raises:
        InputError: For an argument outside its range. `adapt`: for fewer patches than numbers to
            fit.
        MissingPackageError: `adapt`, without scikit-learn.

    Reference: Boettger and Ulrich, "Real-time texture error detection on textured surfaces with
    compressed sensing", Pattern Recognition and Image Analysis 2016: patches of a pyramid,
    compressed by random projections, and a mixture for each level. Departures: principal
    components in place of random projections; densities are summed over levels, where the paper
    combines decisions; grey values alone.
    """

    def __init__(
        self,
        image_shape,
        levels=4,
        patch_size=7,
        components=12,
        mixtures=10,
        sample_patches=20_000,
        seed=None,
        **kwargs,
    ):
        # Half precision has too few digits for densities.
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.image_shape = checked_image_shape(image_shape, SMALLEST_SIDE)
        lowest = {"levels": 1, "patch_size": 1, "components": 1, "mixtures": 1}
        values = (levels, patch_size, components, mixtures)
        for (name, least), value in zip(lowest.items(), values, strict=True):
            check_whole(name, value, least)
        check_whole("sample_patches", sample_patches, 1)
        if patch_size % 2 == 0:
            raise InputError(f"`patch_size` must be odd. Received: {patch_size!r}")
        if components > patch_size**2:
            raise InputError(
                f"`components` must be at most the {patch_size**2} pixels of a patch. Received: "
                f"{components!r}"
            )
        self.levels = levels
        self.patch_size = patch_size
        self.components = components
        self.mixtures = mixtures
        self.sample_patches = sample_patches
        self.seed = seed
        sizes = [
            tuple(side // 2**level for side in self.image_shape[:2]) for level in range(levels)
        ]
        self.grids = [size for size in sizes if min(size) >= patch_size] or sizes[:1]
        self.densities = [
            MixtureDensity(patch_size, components, mixtures, name=f"level_{level}")
            for level in range(len(self.grids))
        ]
        for density in self.densities:
            density.build()
        self(keras.Input(self.image_shape))

    def build(self, input_shape=None):
        """Does nothing: `__init__` has built everything."""

    def pyramid(self, images) -> list:
        """Returns the images in grey at each level, float32 `(batch, h, w, 1)`."""
        grey = ops.sum(ops.cast(images, "float32") * np.array(_GREY, "float32"), -1, keepdims=True)
        found = [grey]
        for _ in self.grids[1:]:
            found.append(ops.average_pool(found[-1], 2, strides=2))
        return found

    def call(self, inputs):
        """Returns the log-density of each patch; see the class."""
        images, _ = unpack_inputs(inputs)
        pairs = zip(self.densities, self.pyramid(images), strict=True)
        return [density(grey) for density, grey in pairs]

    def tensors(self, inputs) -> dict:
        """Returns `images`, and `anomaly_map` `(batch, height, width, 1)`."""
        images = ops.cast(unpack_inputs(inputs)[0], "float32")
        total = 0.0
        for log_density in self(images):
            surprise = -log_density
            if surprise.shape[1:3] != images.shape[1:3]:
                surprise = ops.image.resize(surprise, images.shape[1:3], interpolation="bilinear")
            total = total + surprise
        return {"images": images, "anomaly_map": total}

    def residual_map(self, inputs):
        """Returns the sum of the surprise of all levels."""
        return self.tensors(inputs)["anomaly_map"]

    def adapt(self, data, max_images: int = 1024) -> None:
        """Fits the mixtures to patches of good images; see `AnomalyModel.adapt`."""
        generator = np.random.default_rng(self.seed)
        samples = [PatchSample(self.patch_size, self.sample_patches, generator) for _ in self.grids]
        seen = 0
        for inputs in batches_of(data):
            images, valid = unpack_inputs(inputs)
            for sample, grey in zip(samples, self.pyramid(images), strict=True):
                sample.update(np.asarray(grey)[..., 0], np.asarray(valid_cells(valid, grey)))
            seen += len(images)
            if seen >= max_images:
                break
        for density, sample in zip(self.densities, samples, strict=True):
            density.fit(sample.patches, self.seed)


class PatchSample:
    """A random sample of the whole patches of many images, read batch by batch.

    Args:
        size: int, odd. Side of a patch.
        count: int. Patches to keep, at most.
        generator: `numpy.random.Generator`.

    Attributes:
        patches: float64 array `(patches, size^2)`, each row by row.
    """

    def __init__(self, size: int, count: int, generator: np.random.Generator):
        self.size = size
        self.count = count
        self.patches = np.zeros((0, size * size))
        self._generator = generator
        self._keys = np.zeros(0)

    def update(self, grey: np.ndarray, weights: np.ndarray) -> None:
        """Reads a batch: values and 1 for real pixels, else 0, both `(batch, h, w)`."""
        windows = np.lib.stride_tricks.sliding_window_view
        window = (self.size, self.size)
        whole = windows(weights, window, axis=(1, 2)).min(axis=(-2, -1)) > 0
        # Every patch draws a number; those with the lowest are kept.
        places = np.argwhere(whole)
        keys = self._generator.random(len(places))
        chosen = np.argsort(keys)[: self.count]
        new = windows(grey, window, axis=(1, 2))[tuple(places[chosen].T)]
        new = new.reshape(len(chosen), self.size**2).astype("float64")
        keys = np.concatenate([self._keys, keys[chosen]])
        kept = np.argsort(keys)[: self.count]
        self._keys = keys[kept]
        self.patches = np.concatenate([self.patches, new])[kept]
