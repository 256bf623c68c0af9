"""Angles between AdaCos embeddings."""

import keras
from keras import ops

from kerasad.detector.experts.base import Expert


@keras.saving.register_keras_serializable(package="kerasad")
class PrototypeDistance(Expert):
    """`1 - cos` of a cell's embedding and the nearest AdaCos center of good cells.

    Returns `(batch, h, w, 1)` in [0, 2].
    """

    requires = ("embedding", "prototypes")

    def call(self, tensors):
        """Returns the map; see the class."""
        directions = ops.normalize(tensors["embedding"], axis=-1)
        cosine = ops.matmul(directions, ops.transpose(tensors["prototypes"]))
        return 1.0 - ops.max(cosine, axis=-1, keepdims=True)


@keras.saving.register_keras_serializable(package="kerasad")
class DefectLogit(Expert):
    """Log-odds of "defective" by the AdaCos classes: `log(sum over c > 0 of P_c / P_0)`.

    Returns `(batch, h, w, 1)`, any real number.
    """

    requires = ("class_logits",)

    def call(self, tensors):
        """Returns the map; see the class."""
        logits = tensors["class_logits"]
        return ops.logsumexp(logits[..., 1:], axis=-1, keepdims=True) - logits[..., :1]


@keras.saving.register_keras_serializable(package="kerasad")
class EmbeddingResidual(Expert):
    """`1 - cos` of a cell's embedding in the image and in its reconstruction.

    Returns `(batch, h, w, 1)` in [0, 2].
    """

    requires = ("embedding", "reconstruction_embedding")

    def call(self, tensors):
        """Returns the map; see the class."""
        image = ops.normalize(tensors["embedding"], axis=-1)
        made = ops.normalize(tensors["reconstruction_embedding"], axis=-1)
        return 1.0 - ops.sum(image * made, axis=-1, keepdims=True)
