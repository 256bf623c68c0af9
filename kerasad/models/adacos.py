"""The AdaCos term: what its classes are, one layer for each mode.

Good images have no classes, so each mode makes its own. A layer owns the class centers and
computes the AdaCos losses of discriminator and generator. `ADACOS_MODES` and
`LABELLED_ADACOS_MODES` map the names of modes to layers; the mode `"none"` has no layer.
"""

import keras
from keras import ops

from kerasad.layers import AdaCos, InstanceAdaCos
from kerasad.layers.cells import critic_weights, defective_cells, real_cells, valid_cells
from kerasad.losses.means import weighted_mean
from kerasad.models.base import TrainingBatch
from kerasad.models.cell_clusters import CellClusters
from kerasad.models.networks import seed_weights


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
    return weighted_mean(loss, weights)


class AdaCosClasses(keras.layers.Layer):
    """Base class: the classes of one mode, their centers and both players' losses.

    A subclass defines `discriminator_loss` and `generator_loss`. Embeddings are `(batch, h, w,
    dim)`; losses are float32 `()`.

    Args:
        scale_mode: `"dynamic"` or `"fixed"`, see `AdaCos`.
        num_sub_centers: int >= 1. Centers of each class.
    """

    def __init__(self, scale_mode: str = "dynamic", num_sub_centers: int = 8, **kwargs):
        super().__init__(**kwargs)
        self.scale_mode = scale_mode
        self.num_sub_centers = num_sub_centers

    def discriminator_loss(self, real, fake, batch: TrainingBatch, training=False):
        """Returns the loss of the discriminator.

        Args:
            real: embedding of the encoder's inputs, which may hold synthetic defects.
            fake: embedding of the reconstructions.
            batch: `TrainingBatch`.
            training: bool. Whether scale and clusters follow the batch.
        """
        raise NotImplementedError

    def generator_loss(self, fake, batch: TrainingBatch, embed_target=None):
        """Returns the loss of encoder and decoder.

        Args:
            fake: embedding of the reconstructions.
            batch: `TrainingBatch`.
            embed_target: function without arguments that returns the embedding of the target.
        """
        raise NotImplementedError

    def tensors(self, embedding) -> dict:
        """Returns what the centers say about cells, for experts; see `VAEGAN.tensors`."""
        return {}

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "scale_mode": self.scale_mode,
            "num_sub_centers": self.num_sub_centers,
        }


class DefectClasses(AdaCosClasses):
    """Base class of modes whose class 0 is "good"; the others are kinds of defects."""

    num_classes: int
    minimum_scale = 1.0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.adacos = AdaCos(
            self.num_classes,
            self.num_sub_centers,
            self.scale_mode,
            minimum_scale=self.minimum_scale,
        )

    def build(self, embedding_shape):
        """Builds the centers."""
        self.adacos.build(embedding_shape)

    def generator_loss(self, fake, batch, embed_target=None):
        """Returns the cross-entropy of "good" for the reconstruction's cells."""
        logits = self.adacos(fake)
        labels = ops.zeros(ops.shape(logits)[:-1], dtype="int32")
        return weighted_cross_entropy(labels, logits, valid_cells(batch.valid, fake))

    def tensors(self, embedding) -> dict:
        """Returns the centers of the class "good", and the logits of all classes."""
        return {
            "prototypes": self.adacos.centers[: self.num_sub_centers],
            "class_logits": self.adacos(embedding),
        }


@keras.saving.register_keras_serializable(package="kerasad")
class PretextClasses(DefectClasses):
    """Classes are "good" and the three training families of synthetic defects, cell by cell.

    The discriminator learns to name the defect of each cell; the generator learns to make every
    cell of a reconstruction look good. Good and defective cells have the same total weight.
    """

    num_classes = 4

    def discriminator_loss(self, real, fake, batch, training=False):
        """Returns the cross-entropy of naming each cell's defect."""
        grid = real.shape[1:3]
        good = real_cells(batch.mask, batch.valid, grid)
        defective = defective_cells(batch.mask, batch.valid, grid)
        family = ops.cast(ops.reshape(batch.family, (-1, 1, 1)), "float32")
        labels = ops.cast(defective * family, "int32")
        weights = good / ops.maximum(ops.sum(good), 1.0)
        weights += defective / ops.maximum(ops.sum(defective), 1.0)
        logits = self.adacos(real, labels, sample_weight=weights, training=training)
        return weighted_cross_entropy(labels, logits, weights)


@keras.saving.register_keras_serializable(package="kerasad")
class CriticClasses(DefectClasses):
    """Classes are "good", and "not good": cells under synthetic defects, and restored ones.

    AdaCos as the discriminator's classifier, as in an auxiliary-classifier GAN: it tells what the
    adversarial term tells, by angles to several centers of each class. Good cells weigh as much as
    the others, and of these damaged ones as much as restored ones.

    The dynamic scale is at least 16. Of two classes it would settle near 3, where no cell is surely
    good, and none surely bad.

    Reference: Odena et al., "Conditional image synthesis with auxiliary classifier GANs", ICML
    2017; centers of damage after Zhang et al., "AdaCos", CVPR 2019. Their combination is ours.
    """

    num_classes = 2
    minimum_scale = 16.0

    def discriminator_loss(self, real, fake, batch, training=False):
        """Returns the cross-entropy of telling good cells from damaged and restored ones."""
        good, others = critic_weights(batch.mask, batch.valid, real.shape[1:3])
        embedding = ops.concatenate([real, fake], axis=0)
        bad = ops.cast(others > 0, "int32")
        weights = others + ops.concatenate([good, ops.zeros_like(good)], axis=0)
        logits = self.adacos(embedding, bad, sample_weight=weights, training=training)
        return weighted_cross_entropy(bad, logits, weights)


@keras.saving.register_keras_serializable(package="kerasad")
class ClusterClasses(AdaCosClasses):
    """Classes are k-means clusters of the good images' cells.

    The embedding of a cell learns to name the cluster of the pixels there; the generator learns to
    keep the clusters of the original.

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
        """Returns the cross-entropy of naming each good cell's cluster."""
        grid = real.shape[1:3]
        weights = real_cells(batch.mask, batch.valid, grid)
        labels = self.clusters(batch.target, weights, grid=tuple(grid), training=training)
        logits = self.adacos(real, labels, sample_weight=weights, training=training)
        return weighted_cross_entropy(labels, logits, weights)

    def generator_loss(self, fake, batch, embed_target=None):
        """Returns the cross-entropy of the original's clusters in the reconstruction."""
        weights = valid_cells(batch.valid, fake)
        labels = self.clusters(batch.target, weights, grid=tuple(fake.shape[1:3]))
        return weighted_cross_entropy(labels, self.adacos(fake), weights)

    def tensors(self, embedding) -> dict:
        """Returns all centers: each belongs to good cells."""
        return {"prototypes": self.adacos.centers}

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "num_clusters": self.num_clusters,
            "feature_channels": self.feature_channels,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="kerasad")
class InstanceClasses(AdaCosClasses):
    """Every image of the batch is a class: a reconstruction must be nearest to its own image.

    This is the literal reading of "similarity between image and reconstruction". No center
    outlives the batch, so there are no prototypes.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.adacos = InstanceAdaCos(self.scale_mode)

    def build(self, embedding_shape):
        """Builds the scale."""
        self.adacos.build((None, embedding_shape[-1]))

    def discriminator_loss(self, real, fake, batch, training=False):
        """Returns the cross-entropy of recognizing the image behind each reconstruction."""
        weights = real_cells(batch.mask, batch.valid, real.shape[1:3])
        return self._loss(fake, real, weights, training)

    def generator_loss(self, fake, batch, embed_target=None):
        """Returns the same cross-entropy for encoder and decoder."""
        return self._loss(fake, embed_target(), valid_cells(batch.valid, fake), training=False)

    def _loss(self, fake, anchors, weights, training):
        logits = self.adacos(
            _image_embedding(fake, weights), _image_embedding(anchors, weights), training=training
        )
        labels = ops.arange(ops.shape(logits)[0], dtype="int32")
        return weighted_cross_entropy(labels, logits, ops.ones_like(logits[:, 0]))


@keras.saving.register_keras_serializable(package="kerasad")
class WeakClasses(DefectClasses):
    """Classes are "good" and "defective", from images of which some are labelled defective.

    Only whole images are labelled. Of a defective one, the share `most_defective` of cells that
    look most defective stands for its defect, and the others teach nothing; all cells of good
    images are good. Both classes have the same total weight; a batch without a labelled image
    teaches "good" alone. `valid` of the batch is 0 on all of a labelled image, `real` is not.

    Reference: two classes need sub-centers, since AdaCos is not defined for two centers. The
    choice of cells is multiple-instance learning, as in Sultani et al., "Real-world anomaly
    detection in surveillance videos", CVPR 2018. Their combination is ours.
    """

    num_classes = 2
    most_defective = 0.02

    def discriminator_loss(self, real, fake, batch, training=False):
        """Returns the cross-entropy of telling good cells from labelled images' worst cells."""
        grid = real.shape[1:3]
        good = real_cells(batch.mask, batch.valid, grid)
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
        eligible = valid_cells(batch.real, embedding)
        eligible *= ops.reshape(ops.cast(batch.labels, "float32"), (-1, 1, 1))
        odds = ops.where(eligible > 0, odds, -1e9)
        cells = odds.shape[1] * odds.shape[2]
        count = max(1, round(self.most_defective * cells))
        lowest = ops.top_k(ops.reshape(odds, (-1, cells)), count)[0][:, -1]
        return eligible * ops.cast(odds >= ops.reshape(lowest, (-1, 1, 1)), "float32")


def _image_embedding(embedding, weights):
    """Returns the mean direction of an image's cells, `(batch, dim)`."""
    directions = ops.normalize(ops.cast(embedding, "float32"), axis=-1)
    return ops.sum(directions * weights[..., None], axis=(1, 2))


ADACOS_MODES = {
    "pretext": PretextClasses,
    "critic": CriticClasses,
    "cluster": ClusterClasses,
    "instance": InstanceClasses,
}
"""Layers of the modes that need no labels, by name."""
LABELLED_ADACOS_MODES = {"weak": WeakClasses}
"""Layers of the modes that need images labelled defective, by name."""


def build_adacos_classes(
    name: str,
    embedding_shape,
    scale_mode: str,
    num_sub_centers: int,
    num_clusters: int,
    feature_channels: int | None = None,
    seed: int | None = None,
) -> AdaCosClasses | None:
    """Returns the layer of a mode, built for embeddings of a shape; None for `"none"`."""
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
