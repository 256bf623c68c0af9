"""K-means clusters of image cells, found while training."""

import keras
from keras import ops

from kerasad.errors import check_at_least
from kerasad.layers.cells import downsampled_cells
from kerasad.layers.seeded import SeededLayer


@keras.saving.register_keras_serializable(package="kerasad")
class CellClusters(SeededLayer):
    """Assigns each cell of an image to a cluster, by streaming k-means on pixels or features.

    A cell is described by the 4 x 4 colours in and around it (the image reduced to twice the
    grid's resolution), or by its features. The centers are drawn from the first batch, each next
    one with probability proportional to the squared distance from those drawn before (k-means++);
    then each batch moves every center towards the mean of its new cells, by their share in all
    cells that it has seen.

    Args:
        num_clusters: int >= 2.
        feature_channels: int or None. Channels of features; None is for images.
        seed: int or None. Seed of the first centers; its generator's state is saved with the
            layer.

    Call arguments:
        images: float tensor `(batch, H, W, 3)` in [0, 1], or features `(batch, h, w, channels)`.
        weights: float tensor `(batch, h, w)`; cells of weight 0 move nothing.
        grid: `(h, w)`, the number of cells down and across.
        training: bool. Whether the centers are updated.

    Returns:
        labels: int32 tensor `(batch, h, w)` in `0 ... num_clusters - 1`, without gradient.

    Raises:
        InputError: For fewer than 2 clusters.

    Reference: Sculley, "Web-scale k-means clustering", WWW 2010, algorithm 1; Arthur and
    Vassilvitskii, "k-means++", SODA 2007.
    """

    def __init__(
        self,
        num_clusters: int,
        feature_channels: int | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        # Colours stay float32 under a mixed-precision policy, as do the sums over many cells.
        super().__init__(**{"seed": seed, "trainable": False, "autocast": False, **kwargs})
        check_at_least("num_clusters", num_clusters, 2)
        self.num_clusters = num_clusters
        self.feature_channels = feature_channels
        self.descriptor_size = feature_channels or 4 * 4 * 3

    def build(self, images_shape, weights_shape=None):
        """Creates centers and counts; while all counts are 0, no centers have been drawn."""
        options = {"initializer": "zeros", "trainable": False, "dtype": "float32"}
        self.centers = self.add_weight(
            (self.num_clusters, self.descriptor_size), name="centers", autocast=False, **options
        )
        self.counts = self.add_weight(
            (self.num_clusters,), name="counts", autocast=False, **options
        )

    def call(self, images, weights, grid, training=False):
        """Returns labels; see the class."""
        cells = self.describe(images, *grid)
        flat = ops.reshape(cells, (-1, self.descriptor_size))
        if training:
            self._update(flat, ops.reshape(weights, (-1,)))
        labels = ops.argmin(_squared_distances(flat, ops.convert_to_tensor(self.centers)), axis=-1)
        return ops.cast(ops.reshape(labels, ops.shape(cells)[:-1]), "int32")

    def describe(self, images, height, width):
        """Returns the cells' descriptors, float32 `(batch, height, width, descriptor_size)`."""
        if self.feature_channels is not None:
            return ops.stop_gradient(ops.cast(images, "float32"))
        reduced = downsampled_cells(ops.cast(images, "float32"), 2 * height, 2 * width)
        return ops.stop_gradient(ops.image.extract_patches(reduced, 4, strides=2, padding="same"))

    def _update(self, cells, weights):
        drawn = ops.sum(self.counts) > 0
        centers = ops.cond(
            drawn, lambda: ops.convert_to_tensor(self.centers), lambda: self._draw(cells, weights)
        )
        labels = ops.argmin(_squared_distances(cells, centers), axis=-1)
        members = ops.one_hot(labels, self.num_clusters, dtype="float32") * weights[:, None]
        arrived = ops.sum(members, axis=0)
        total = ops.matmul(ops.transpose(members), cells)
        counts = self.counts + arrived
        step = (total - arrived[:, None] * centers) / ops.maximum(counts, 1.0)[:, None]
        self.centers.assign(centers + step)
        self.counts.assign(counts)

    def _draw(self, cells, weights):
        distances = weights  # the first center is any cell of weight 1
        rows = []
        for _ in range(self.num_clusters):
            log_chances = ops.log(ops.maximum(distances, 1e-30))[None]
            index = keras.random.categorical(log_chances, 1, seed=self.seed_generator)[0, 0]
            rows.append(ops.take(cells, index, axis=0))
            distances = ops.min(_squared_distances(cells, ops.stack(rows)), axis=-1) * weights
        return ops.stack(rows)

    def compute_output_spec(self, images, weights, grid, training=False):
        """Returns `(batch, h, w)`, int32."""
        return keras.KerasTensor((images.shape[0], *grid), dtype="int32")

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "num_clusters": self.num_clusters,
            "feature_channels": self.feature_channels,
        }


def _squared_distances(cells, centers):
    """Returns the squared distances of cells to centers, `(n, clusters)`, >= 0."""
    squares = ops.sum(ops.square(cells), axis=-1, keepdims=True)
    cross = ops.matmul(cells, ops.transpose(centers))
    return ops.maximum(squares - 2.0 * cross + ops.sum(ops.square(centers), axis=-1), 0.0)
