"""What the classes of AdaCos are: one layer a mode.

Good images have no classes, so each mode makes its own. A mode owns the centers and says what
discriminator and generator pay. `ADACOS_MODES` maps names to classes; `"none"` is absent there.
"""

import keras
from keras import ops

from kerasad.layers import AdaCos, InstanceAdaCos
from kerasad.models.cell_clusters import CellClusters
from kerasad.models.networks import downsampled_cells, seed_weights

# A cell counts as defective from this share of defective pixels on; below it, down to none at
# all, it is neither good nor defective and teaches nothing.
DEFECTIVE_COVERAGE = 0.25


def weighted_cross_entropy(labels, logits, weights):
    """Returns the mean cross-entropy of examples with weights.

    Args:
        labels: int tensor `(...)`.
        logits: float tensor `(..., num_classes)`.
        weights: float tensor `(...)`, >= 0.

    Returns:
        loss: float32 tensor `()`; 0 if all weights are 0.
    """
    loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return ops.sum(loss * weights) / ops.maximum(ops.sum(weights), 1e-12)


def valid_cells(valid, cells):
    """Returns 1 for cells of real pixels and 0 for those with padding, float32 `(batch, h, w)`.

    Args:
        valid: float tensor `(batch, H, W, 1)`, 0 where an image was padded, or None.
        cells: tensor `(batch, h, w, c)` on the grid of cells.
    """
    if valid is None:
        return ops.ones(ops.shape(cells)[:-1], dtype="float32")
    height, width = cells.shape[1:3]
    return ops.cast(downsampled_cells(valid, height, width)[..., 0] > 0.999, "float32")


def real_cells(mask, valid, grid):
    """Returns 1 for cells without padding or a defective pixel, float32 `(batch, *grid)`."""
    untouched = downsampled_cells(mask, *grid) == 0
    if valid is not None:
        untouched = ops.logical_and(untouched, downsampled_cells(valid, *grid) > 0.999)
    return ops.cast(untouched[..., 0], "float32")


class AdaCosMode(keras.layers.Layer):
    """Base class of the modes.

    A mode defines `discriminator_loss(real, fake, batch, training)`, what the embedding network
    pays, and `generator_loss(fake, batch, clean)`, what encoder and decoder pay; both return
    float32 `()`. `real`, `fake` and `clean` are embeddings `(batch, h, w, dim)` of the encoder's
    inputs (images with synthetic defects), of the reconstructions, and of the images without
    defects (None unless `generator_needs_clean`); `batch` is a dict of `target` (images without
    defects, or their features), `valid` (or None), `mask` and `family` of the defects, see
    `VAEGAN.read_batch`. In `training`, scale and clusters follow the batch.

    Args:
        scale_mode: `"dynamic"` or `"fixed"`, see `AdaCos`.
        num_sub_centers: int >= 1. Centers of each class.
    """

    generator_needs_clean = False

    def __init__(self, scale_mode: str = "dynamic", num_sub_centers: int = 8, **kwargs):
        super().__init__(**kwargs)
        self.scale_mode = scale_mode
        self.num_sub_centers = num_sub_centers

    def normal_prototypes(self):
        """Returns the unit centers of good cells, float32 `(n, dim)`, or None without any."""
        return None

    def class_logits(self, embedding):
        """Returns logits whose class 0 is "good", `(batch, h, w, classes)`, or None."""
        return None

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "scale_mode": self.scale_mode,
            "num_sub_centers": self.num_sub_centers,
        }


class GoodOrDefective(AdaCosMode):
    """Base class of the modes whose class 0 is "good" and whose others are kinds of defects."""

    num_classes: int

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.adacos = AdaCos(self.num_classes, self.num_sub_centers, self.scale_mode)

    def build(self, embedding_shape):
        """Builds the centers."""
        self.adacos.build(embedding_shape)

    def generator_loss(self, fake, batch, clean=None):
        """Returns the cross-entropy of "good" for the reconstruction's cells."""
        logits = self.adacos(fake)
        labels = ops.zeros(ops.shape(logits)[:-1], dtype="int32")
        return weighted_cross_entropy(labels, logits, valid_cells(batch["valid"], fake))

    def normal_prototypes(self):
        """Returns the centers of the class "good"."""
        return self.adacos.centers[: self.num_sub_centers]

    def class_logits(self, embedding):
        """Returns the logits of all classes."""
        return self.adacos(embedding)


@keras.saving.register_keras_serializable(package="kerasad")
class PretextAdaCos(GoodOrDefective):
    """Classes are "good" and the three training families of synthetic defects, cell by cell.

    The discriminator learns to name the defect of each cell; the generator is paid for
    reconstructions whose cells all look good. Good and defective cells weigh alike in sum.
    """

    num_classes = 4

    def discriminator_loss(self, real, fake, batch, training=False):
        """Returns the cross-entropy of naming each cell's defect; see the base class."""
        grid = real.shape[1:3]
        good = real_cells(batch["mask"], batch["valid"], grid)
        coverage = downsampled_cells(batch["mask"], *grid)[..., 0]
        defective = ops.cast(coverage > DEFECTIVE_COVERAGE, "float32")
        defective *= valid_cells(batch["valid"], real)
        family = ops.cast(ops.reshape(batch["family"], (-1, 1, 1)), "float32")
        labels = ops.cast(defective * family, "int32")
        weights = good / ops.maximum(ops.sum(good), 1.0)
        weights += defective / ops.maximum(ops.sum(defective), 1.0)
        logits = self.adacos(real, labels, sample_weight=weights, training=training)
        return weighted_cross_entropy(labels, logits, weights)


@keras.saving.register_keras_serializable(package="kerasad")
class ClusterAdaCos(AdaCosMode):
    """Classes are k-means clusters of the good images' cells.

    The embedding of a cell learns to name the cluster of the pixels there; the generator is paid
    for reconstructions whose cells keep the clusters of the original.

    Args:
        num_clusters: int >= 2.
        feature_channels: int or None, see `CellClusters`.
        seed: int or None. Seed of the first clusters.
    """

    def __init__(
        self,
        num_clusters: int = 32,
        feature_channels: int | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_clusters = num_clusters
        self.feature_channels = feature_channels
        self.seed = seed
        self.adacos = AdaCos(num_clusters, self.num_sub_centers, self.scale_mode)
        self.clusters = CellClusters(num_clusters, feature_channels, seed=seed)

    def build(self, embedding_shape):
        """Builds centers and clusters."""
        self.adacos.build(embedding_shape)
        self.clusters.build(embedding_shape)

    def discriminator_loss(self, real, fake, batch, training=False):
        """Returns the cross-entropy of naming each good cell's cluster; see the base class."""
        grid = real.shape[1:3]
        weights = real_cells(batch["mask"], batch["valid"], grid)
        labels = self.clusters(batch["target"], weights, grid=tuple(grid), training=training)
        logits = self.adacos(real, labels, sample_weight=weights, training=training)
        return weighted_cross_entropy(labels, logits, weights)

    def generator_loss(self, fake, batch, clean=None):
        """Returns the cross-entropy of the original's clusters in the reconstruction."""
        weights = valid_cells(batch["valid"], fake)
        labels = self.clusters(batch["target"], weights, grid=tuple(fake.shape[1:3]))
        return weighted_cross_entropy(labels, self.adacos(fake), weights)

    def normal_prototypes(self):
        """Returns all centers: each belongs to good cells."""
        return self.adacos.centers

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "num_clusters": self.num_clusters,
            "feature_channels": self.feature_channels,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="kerasad")
class InstanceMode(AdaCosMode):
    """Every image of the batch is a class: a reconstruction must be nearest to its own image.

    The literal reading of "similarity between image and reconstruction". It has no centers that
    outlive the batch, so it offers no prototypes.
    """

    generator_needs_clean = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.adacos = InstanceAdaCos(self.scale_mode)

    def build(self, embedding_shape):
        """Builds the scale."""
        self.adacos.build((None, embedding_shape[-1]))

    def discriminator_loss(self, real, fake, batch, training=False):
        """Returns the cross-entropy of recognizing the image behind each reconstruction."""
        weights = real_cells(batch["mask"], batch["valid"], real.shape[1:3])
        return self._loss(fake, real, weights, training)

    def generator_loss(self, fake, batch, clean=None):
        """Returns the same cross-entropy, as encoder and decoder pay it."""
        return self._loss(fake, clean, valid_cells(batch["valid"], fake), training=False)

    def _loss(self, fake, anchors, weights, training):
        logits = self.adacos(
            _image_embedding(fake, weights), _image_embedding(anchors, weights), training=training
        )
        labels = ops.arange(ops.shape(logits)[0], dtype="int32")
        return weighted_cross_entropy(labels, logits, ops.ones_like(logits[:, 0]))


@keras.saving.register_keras_serializable(package="kerasad")
class WeakAdaCos(GoodOrDefective):
    """Classes are "good" and "defective", from images of which some are labelled defective.

    Only whole images are labelled, so of a defective one the cells that look most defective, a
    share of `most_defective`, stand for its defect and the others teach nothing; the cells of
    good images are good. Both classes weigh alike in sum; a batch without a labelled image
    teaches "good" alone. `batch` has `labels` `(batch,)`, 1 = defective, and `real`, 1 for the
    real pixels of every image, where `valid` is 0 on all of a labelled one.

    Reference: two classes need sub-centers, since AdaCos is not defined for two centers; the
    choice of cells is multiple-instance learning, as in Sultani et al., "Real-world anomaly
    detection in surveillance videos", CVPR 2018. Their combination is ours.
    """

    num_classes = 2
    most_defective = 0.02

    def discriminator_loss(self, real, fake, batch, training=False):
        """Returns the cross-entropy of telling good cells from the labelled images' worst."""
        grid = real.shape[1:3]
        good = real_cells(batch["mask"], batch["valid"], grid)
        defective = self._most_defective(real, batch)
        weights = good / ops.maximum(ops.sum(good), 1.0)
        weights += defective / ops.maximum(ops.sum(defective), 1.0)
        labels = ops.cast(defective, "int32")
        logits = self.adacos(real, labels, sample_weight=weights, training=training)
        return weighted_cross_entropy(labels, logits, weights)

    def _most_defective(self, embedding, batch):
        """Returns 1 for the cells that stand for a labelled image's defect, `(batch, h, w)`."""
        logits = ops.stop_gradient(self.adacos(embedding))
        odds = logits[..., 1] - logits[..., 0]
        eligible = valid_cells(batch["real"], embedding)
        eligible *= ops.reshape(ops.cast(batch["labels"], "float32"), (-1, 1, 1))
        odds = ops.where(eligible > 0, odds, -1e9)
        cells = odds.shape[1] * odds.shape[2]
        count = max(1, round(self.most_defective * cells))
        lowest = ops.top_k(ops.reshape(odds, (-1, cells)), count)[0][:, -1]
        return eligible * ops.cast(odds >= ops.reshape(lowest, (-1, 1, 1)), "float32")


def _image_embedding(embedding, weights):
    """Returns the mean direction of an image's cells, `(batch, dim)`."""
    directions = ops.normalize(ops.cast(embedding, "float32"), axis=-1)
    return ops.sum(directions * weights[..., None], axis=(1, 2))


ADACOS_MODES = {"pretext": PretextAdaCos, "cluster": ClusterAdaCos, "instance": InstanceMode}
"""Modes that need no label."""
LABELLED_ADACOS_MODES = {"weak": WeakAdaCos}
"""Modes that need images labelled defective."""


def build_adacos_mode(
    name: str,
    embedding_shape,
    scale_mode: str,
    num_sub_centers: int,
    num_clusters: int,
    feature_channels: int | None = None,
    seed: int | None = None,
) -> AdaCosMode | None:
    """Returns a mode, built for embeddings of a shape; None for `"none"`."""
    if name == "none":
        return None
    options = {}
    if name == "cluster":
        options = {
            "num_clusters": num_clusters,
            "feature_channels": feature_channels,
            "seed": seed,
        }
    mode = (ADACOS_MODES | LABELLED_ADACOS_MODES)[name](
        scale_mode=scale_mode, num_sub_centers=num_sub_centers, dtype="float32", **options
    )
    mode.build(embedding_shape)
    if seed is not None:
        seed_weights(mode, seed)
    return mode
