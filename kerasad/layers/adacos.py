"""AdaCos: cosine class logits whose scale follows the batch."""

import math

import keras
from keras import ops

from kerasad.errors import InputError, check_at_least, check_choice

SCALE_MODES = ("dynamic", "fixed")


def fixed_adacos_scale(num_centers: int) -> float:
    """Returns the fixed AdaCos scale `sqrt(2) * log(num_centers - 1)`.

    It puts the steepest point of the target probability at an angle of pi / 4 when all other
    centers are orthogonal to the embedding.

    Args:
        num_centers: int. Number of all centers: classes times sub-centers.

    Returns:
        scale: float > 0.

    Raises:
        InputError: If `num_centers < 3`: the scale would be 0 and the gradient with it.

    Reference: Zhang et al., "AdaCos", CVPR 2019, equation 12.
    """
    if num_centers < 3:
        raise InputError(
            "AdaCos needs at least 3 centers (classes times sub-centers), since its scale is "
            f"sqrt(2) * log(centers - 1). Received: {num_centers}; use more classes or "
            "sub-centers."
        )
    return math.sqrt(2.0) * math.log(num_centers - 1)


def weighted_median(values, weights):
    """Returns the lower weighted median: the smallest value that half of the weight reaches.

    Args:
        values: float tensor `(n,)`.
        weights: float tensor `(n,)`, >= 0. Entries of weight 0 never count.

    Returns:
        median: float tensor `()`.
    """
    order = ops.argsort(values)
    reached = ops.cumsum(ops.take(weights, order))
    position = ops.sum(ops.cast(reached < 0.5 * reached[-1], "int32"))
    return ops.take(ops.take(values, order), position)


def adapted_adacos_scale(cosine, target, scale, weights, minimum_scale=1.0, maximum_scale=None):
    """Returns the next dynamic scale `log(B) / cos(min(pi / 4, theta))`.

    `B` is the batch mean of `sum over the centers of the other classes of exp(scale * cosine)`,
    taken by log-sum-exp; `theta` is the batch median of the angle to the nearest center of the
    own class.

    Departures: the batch's examples carry weights; the result is at least `minimum_scale`, since
    with few classes the published rule falls to 0 and below, where nothing is learned; and at most
    `maximum_scale`, since where other classes are nearer than the own one `log(B)` grows faster
    than the scale itself, without end.

    Args:
        cosine: float tensor `(n, num_classes, num_sub_centers)`.
        target: float tensor `(n, num_classes)`, one-hot.
        scale: float tensor `()`, the previous scale.
        weights: float tensor `(n,)`, >= 0.
        minimum_scale: float. Lower bound of the result.
        maximum_scale: float or None. Upper bound of the result.

    Returns:
        scale: float32 tensor `()`, without gradient. The previous one if all weights are 0.

    Reference: Zhang et al., "AdaCos", CVPR 2019, equations 15 to 17.
    """
    cosine = ops.stop_gradient(cosine)
    own = target[..., None] > 0.5
    nearest_own = ops.max(ops.where(own, cosine, -1.0), axis=(1, 2))
    theta = weighted_median(ops.arccos(ops.clip(nearest_own, -1.0 + 1e-7, 1.0 - 1e-7)), weights)
    log_others = ops.logsumexp(ops.where(own, -1e9, scale * cosine), axis=(1, 2))
    log_weights = ops.where(weights > 0, ops.log(ops.maximum(weights, 1e-30)), -1e9)
    total = ops.sum(weights)
    log_mean = ops.logsumexp(log_others + log_weights) - ops.log(ops.maximum(total, 1e-30))
    adapted = log_mean / ops.cos(ops.minimum(theta, math.pi / 4))
    adapted = ops.maximum(adapted, minimum_scale)
    if maximum_scale is not None:
        adapted = ops.minimum(adapted, maximum_scale)
    return ops.where(total > 0, adapted, scale)


@keras.saving.register_keras_serializable(package="kerasad")
class AdaCos(keras.layers.Layer):
    """Class logits from angles between embeddings and centers, with an adaptive scale.

    `logits_c = log(sum over k of exp(s * cos(embedding, center_ck)))`, with `s` the scale, `c`
    the class and `k` its sub-centers. Their softmax over `c` is the softmax over all centers,
    summed over each class's own. With one sub-center this is AdaCos as published.

    Args:
        num_classes: int >= 2. `num_classes * num_sub_centers` must be at least 3.
        num_sub_centers: int >= 1. Centers of each class.
        scale_mode: `"dynamic"` (follows the batch in training) or `"fixed"`.
        minimum_scale: float. Lower bound of the dynamic scale.
        maximum_scale: float or None. Upper bound of the dynamic scale; None is 4 times the fixed
            scale, far above where it settles on classes that can be told apart.

    Call arguments:
        embeddings: float tensor `(..., dim)`; any length, only directions count.
        labels: int tensor `(...)` or None. Needed for the scale to follow the batch.
        sample_weight: float tensor `(...)` or None. Examples of weight 0 are ignored.
        training: bool.

    Returns:
        logits: float32 tensor `(..., num_classes)`.

    Raises:
        InputError: For fewer than 2 classes, fewer than 1 sub-center or 3 centers, or an unknown
            `scale_mode`.

    Reference: Zhang et al., "AdaCos", CVPR 2019; sub-centers after Wilkinghoff, "Sub-Cluster
    AdaCos", IJCNN 2021. Departure from the latter: `B` leaves the own class out, as in AdaCos;
    with it the scale has no fixed point and only grows.
    """

    def __init__(
        self,
        num_classes: int,
        num_sub_centers: int = 1,
        scale_mode: str = "dynamic",
        minimum_scale: float = 1.0,
        maximum_scale: float | None = None,
        **kwargs,
    ):
        # Half precision is too coarse for small angles: inputs and centers stay float32.
        super().__init__(autocast=False, **kwargs)
        check_at_least("num_classes", num_classes, 2)
        check_at_least("num_sub_centers", num_sub_centers, 1)
        check_choice("scale_mode", scale_mode, SCALE_MODES)
        self.num_classes = num_classes
        self.num_sub_centers = num_sub_centers
        self.scale_mode = scale_mode
        self.minimum_scale = minimum_scale
        self._start_scale = fixed_adacos_scale(num_classes * num_sub_centers)
        if maximum_scale is None:
            maximum_scale = max(4.0 * self._start_scale, minimum_scale)
        self.maximum_scale = maximum_scale

    def build(self, input_shape):
        """Creates the centers and the scale."""
        self.kernel = self.add_weight(
            (input_shape[-1], self.num_classes * self.num_sub_centers),
            initializer="glorot_uniform",
            dtype="float32",
            autocast=False,
            name="kernel",
        )
        self.scale = self.add_weight(
            (),
            initializer=keras.initializers.Constant(self._start_scale),
            trainable=False,
            dtype="float32",
            autocast=False,
            name="scale",
        )

    def call(self, embeddings, labels=None, sample_weight=None, training=False):
        """Returns class logits; see the class."""
        cosine = self.compute_cosine(embeddings)
        if training and labels is not None and self.scale_mode == "dynamic":
            flat = ops.reshape(cosine, (-1, self.num_classes, self.num_sub_centers))
            target = ops.one_hot(ops.reshape(labels, (-1,)), self.num_classes, dtype="float32")
            if sample_weight is None:
                weights = ops.ones_like(target[:, 0])
            else:
                weights = ops.cast(ops.reshape(sample_weight, (-1,)), "float32")
            bounds = (self.minimum_scale, self.maximum_scale)
            self.scale.assign(
                adapted_adacos_scale(flat, target, self.scale.value, weights, *bounds)
            )
        return ops.logsumexp(self.scale * cosine, axis=-1)

    def compute_cosine(self, embeddings):
        """Returns the cosines to all centers, float32 `(..., num_classes, num_sub_centers)`."""
        directions = ops.normalize(ops.cast(embeddings, "float32"), axis=-1)
        cosine = ops.matmul(directions, ops.transpose(self.centers))
        shape = ops.shape(cosine)[:-1]
        return ops.reshape(cosine, (*shape, self.num_classes, self.num_sub_centers))

    @property
    def centers(self):
        """The unit centers, float32 `(num_classes * num_sub_centers, dim)`, class by class."""
        return ops.transpose(ops.normalize(ops.convert_to_tensor(self.kernel), axis=0))

    def compute_output_spec(self, embeddings, labels=None, sample_weight=None, training=False):
        """Returns `(..., num_classes)`, float32 under every policy."""
        return keras.KerasTensor((*embeddings.shape[:-1], self.num_classes), dtype="float32")

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "num_sub_centers": self.num_sub_centers,
            "scale_mode": self.scale_mode,
            "minimum_scale": self.minimum_scale,
            "maximum_scale": self.maximum_scale,
        }


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
