"""The density of patches by a Gaussian mixture that scikit-learn fits, computed in the graph."""

import keras
import numpy as np
from keras import ops

from kerasad.errors import InputError, MissingPackageError
from kerasad.precision import add_state

_LOG_2_PI = float(np.log(2.0 * np.pi))
_ITERATIONS = 200


class MixtureDensity(keras.layers.Layer):
    """The log-density of the patch around each pixel of grey images; see `GaussianMixture`.

    Args:
        patch_size: int, odd.
        components: int.
        mixtures: int.

    Call arguments:
        grey: float tensor `(batch, h, w, 1)`. Borders are mirrored.

    Returns:
        log_density: float32 tensor `(batch, h, w, 1)`, in nats; before `fit` that of a standard
        normal.
    """

    def __init__(self, patch_size: int, components: int, mixtures: int, **kwargs):
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.patch_size = patch_size
        self.components = components
        self.mixtures = mixtures

    def build(self, input_shape=None):
        """Creates the projection and the mixture."""
        size, rank = self.patch_size, self.components
        eye = np.eye(size * size, rank).reshape(size, size, 1, rank)
        self.kernel = add_state(self, "kernel", eye.shape, eye)
        self.bias = add_state(self, "bias", (rank,))
        # Of each Gaussian: a matrix L of which L L^T is the inverse covariance, m^T L, and the
        # logarithm of weight and normalization.
        self.roots = add_state(self, "roots", (rank, self.mixtures * rank))
        self.roots.assign(np.tile(np.eye(rank), self.mixtures))
        self.whitened_means = add_state(self, "whitened_means", (self.mixtures * rank,))
        constant = -0.5 * rank * _LOG_2_PI - np.log(self.mixtures)
        self.constants = add_state(self, "constants", (self.mixtures,), constant)

    def features(self, grey):
        """Returns the projected patches, float32 `(batch, h, w, components)`."""
        half = self.patch_size // 2
        padded = ops.pad(grey, [[0, 0], [half, half], [half, half], [0, 0]], mode="symmetric")
        return ops.conv(padded, ops.convert_to_tensor(self.kernel), 1, "valid") + self.bias

    def call(self, grey):
        """Returns the log-density; see the class."""
        whitened = ops.matmul(self.features(grey), self.roots) - self.whitened_means
        shape = (*ops.shape(whitened)[:-1], self.mixtures, self.components)
        squares = ops.sum(ops.square(ops.reshape(whitened, shape)), axis=-1)
        return ops.logsumexp(self.constants - 0.5 * squares, axis=-1, keepdims=True)

    def fit(self, patches: np.ndarray, seed: int | None) -> None:
        """Fits projection and mixture to patches, float array `(patches, patch_size^2)`.

        Raises:
            InputError: There are fewer patches than numbers in a feature, or than Gaussians.
            MissingPackageError: scikit-learn is not installed.
        """
        try:
            from sklearn.mixture import GaussianMixture as Mixture
        except ImportError as error:
            raise MissingPackageError.of_extra(
                "The model gaussian_mixture", "scikit-learn", "baselines"
            ) from error
        least = 2 * max(self.components, self.mixtures)
        if len(patches) < least:
            raise InputError(
                f"The good images have {len(patches)} whole patches at one level of the pyramid, "
                f"and the mixture needs {least}: give more or larger images, or lower `levels`."
            )
        projection, offset = principal_components(patches, self.components)
        # Before any float32: its fitted numbers are those of the very features that it sees.
        mixture = Mixture(self.mixtures, reg_covar=1e-4, max_iter=_ITERATIONS, random_state=seed)
        mixture.fit(patches @ projection + offset)
        shape = (self.patch_size, self.patch_size, 1, self.components)
        self.kernel.assign(projection.reshape(shape))
        self.bias.assign(offset)
        self.take(mixture)

    def take(self, mixture) -> None:
        """Takes over the numbers of scikit-learn's fitted `GaussianMixture`."""
        roots = mixture.precisions_cholesky_
        means = np.einsum("kd,kde->ke", mixture.means_, roots)
        halves = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
        constants = np.log(mixture.weights_) + halves - 0.5 * self.components * _LOG_2_PI
        self.roots.assign(np.concatenate(list(roots), axis=1))
        self.whitened_means.assign(means.reshape(-1))
        self.constants.assign(constants)


def principal_components(patches: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the projection to the largest principal components, each of deviation 1.

    Args:
        patches: float array `(patches, pixels)`.
        count: int.

    Returns:
        projection, offset: float64 `(pixels, count)` and `(count,)`; `patches @ projection +
        offset` has mean 0 and, where patches vary at all, deviation 1.
    """
    mean = patches.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(patches - mean, rowvar=False).reshape((len(mean),) * 2))
    # A component that all but vanishes would be nothing but enlarged noise.
    deviations = np.sqrt(np.maximum(values[::-1][:count], 1e-6 * max(values[-1], 1e-12)))
    projection = vectors[:, ::-1][:, :count] / deviations
    return projection, -mean @ projection
