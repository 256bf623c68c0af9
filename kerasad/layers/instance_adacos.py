"""AdaCos in which every image of the batch is a class of its own."""

import math

import keras
from keras import ops

from kerasad.errors import check_choice
from kerasad.layers.adacos import SCALE_MODES, adapted_adacos_scale


@keras.saving.register_keras_serializable(package="kerasad")
class InstanceAdaCos(keras.layers.Layer):
    """Logits of "which image of the batch is this?", with the AdaCos scale.

    `logits_ij = s * cos(embedding_i, anchor_j)`; the anchors, embeddings of the batch's own
    images, carry no gradient. The class of example `i` is `i`, so a batch of `n` has `n` classes.
    Batches of fewer than 3 give logits of 0 (no gradient) and leave the scale alone, since AdaCos
    is not defined there.

    Args:
        scale_mode: `"dynamic"` or `"fixed"` (`sqrt(2) * log(n - 1)` for a batch of `n`).

    Call arguments:
        embeddings: float tensor `(n, dim)`.
        anchors: float tensor `(n, dim)`.
        training: bool.

    Returns:
        logits: float32 tensor `(n, n)`.

    Raises:
        InputError: For an unknown `scale_mode`.

    Reference: Zhang et al., "AdaCos", CVPR 2019; the classes are ours.
    """

    def __init__(self, scale_mode: str = "dynamic", **kwargs):
        super().__init__(autocast=False, **kwargs)
        check_choice("scale_mode", scale_mode, SCALE_MODES)
        self.scale_mode = scale_mode

    def build(self, embeddings_shape, anchors_shape=None):
        """Creates the scale; 0 means that it has seen no batch yet."""
        self.scale = self.add_weight(
            (), initializer="zeros", trainable=False, dtype="float32", autocast=False, name="scale"
        )

    def call(self, embeddings, anchors, training=False):
        """Returns logits; see the class."""
        directions = ops.normalize(ops.cast(embeddings, "float32"), axis=-1)
        anchors = ops.normalize(ops.stop_gradient(ops.cast(anchors, "float32")), axis=-1)
        cosine = ops.matmul(directions, ops.transpose(anchors))
        count = ops.shape(cosine)[0]
        others = ops.cast(ops.maximum(count - 1, 2), "float32")
        fixed = math.sqrt(2.0) * ops.log(others)
        scale = fixed
        if self.scale_mode == "dynamic":
            scale = ops.where(self.scale > 0, self.scale, fixed)
            if training:
                target = ops.eye(count, dtype="float32")
                scale = adapted_adacos_scale(
                    cosine[:, :, None],
                    target,
                    scale,
                    ops.ones_like(cosine[:, 0]),
                    # As in `AdaCos`, a bound far above where the scale settles.
                    maximum_scale=ops.maximum(4.0 * fixed, 1.0),
                )
                self.scale.assign(ops.where(count >= 3, scale, self.scale))
        return ops.where(count >= 3, 1.0, 0.0) * scale * cosine

    def compute_output_spec(self, embeddings, anchors, training=False):
        """Returns `(n, n)`, float32 under every policy."""
        return keras.KerasTensor((embeddings.shape[0],) * 2, dtype="float32")

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "scale_mode": self.scale_mode}
