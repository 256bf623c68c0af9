"""Grad-CAM from the latent mean to a layer of the encoder."""

import math

import tensorflow as tf
from keras import ops


def gradient_attention(features, gradients):
    """Returns the attention map of features and the gradients that reach them.

    `A = sigmoid(sum over k of alpha_k * F_k)`, with `F_k` a channel of the features and `alpha_k`
    the mean over all positions of the gradient of the attended score with respect to `F_k`.

    Departures from Grad-CAM: a sigmoid without a ReLU before it, since after a ReLU the map could
    never fall below 0.5; no normalization by image or batch, so that maps are comparable.

    Args:
        features: float tensor `(batch, height, width, channels)`.
        gradients: float tensor of the same shape.

    Returns:
        attention_map: float32 tensor `(batch, height, width, 1)` in [0, 1], high where the
        score depends on the features.

    Reference: Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2; Venkataramanan et al.,
    "CAVGA", ECCV 2020, section 3.1.
    """
    features = ops.cast(features, "float32")
    alpha = ops.mean(ops.cast(gradients, "float32"), axis=(1, 2), keepdims=True)
    return ops.sigmoid(ops.sum(alpha * features, axis=-1, keepdims=True))


def tape_attention(head, features):
    """Returns the attention map of the mean latent coordinate, by automatic differentiation.

    The attended score is the sum of the latent mean over positions and its mean over channels.

    Args:
        head: callable from features to the latent mean, `(batch, ..., latent_dim)`.
        features: float tensor `(batch, height, width, channels)`.

    Returns:
        attention_map: float32 tensor `(batch, height, width, 1)` in [0, 1].
    """
    with tf.GradientTape() as tape:
        tape.watch(features)
        z_mean = ops.cast(head(features), "float32")
        score = ops.sum(z_mean) / z_mean.shape[-1]
    return gradient_attention(features, tape.gradient(score, features))


def linear_head_attention(kernel, features):
    """Returns the same map in closed form, for a latent mean that is linear in the features.

    The gradient of a linear head is its kernel, the same for every image. Nothing is differentiated
    when the map is computed, so the graph exports anywhere.

    Args:
        kernel: float tensor, the head's weights: `(1, 1, channels, latent_dim)` of a 1x1
            convolution or `(height * width * channels, latent_dim)` of a dense layer on the
            flattened features.
        features: float tensor `(batch, height, width, channels)`.

    Returns:
        attention_map: float32 tensor `(batch, height, width, 1)` in [0, 1].
    """
    gradients = ops.mean(ops.cast(kernel, "float32"), axis=-1)
    return gradient_attention(features, _over_positions(gradients, features))


def classifier_attention(latent_kernel, classifier_kernel, features):
    """Returns one attention map per class, for a linear classifier on a linear latent mean.

    The attended score of class `c` is its logit at the latent mean. Both maps from features to
    latent mean to logit are linear, so the gradient is the product of their kernels: the same
    for every image, and no softmax in it.

    Args:
        latent_kernel: float tensor, as `kernel` of `linear_head_attention`.
        classifier_kernel: float tensor `(latent size, classes)`, of a dense layer on the
            flattened latent mean.
        features: float tensor `(batch, height, width, channels)`.

    Returns:
        attention_maps: float32 tensor `(batch, height, width, classes)` in [0, 1].
    """
    latent_kernel = ops.cast(latent_kernel, "float32")
    classifier_kernel = ops.cast(classifier_kernel, "float32")
    if len(latent_kernel.shape) == 4:
        # The mean over positions of the gradient is that of the classifier's own weights there.
        latent_kernel = latent_kernel[0, 0]
        shape = (-1, latent_kernel.shape[-1], classifier_kernel.shape[-1])
        classifier_kernel = ops.mean(ops.reshape(classifier_kernel, shape), axis=0)
    gradients = ops.matmul(latent_kernel, classifier_kernel)
    maps = [
        gradient_attention(features, _over_positions(gradients[:, index], features))
        for index in range(gradients.shape[-1])
    ]
    return ops.concatenate(maps, axis=-1)


def _over_positions(gradients, features):
    """Returns a gradient, one a channel or one a position and channel, on the features' grid."""
    height, width, channels = features.shape[1:]
    same_everywhere = math.prod(gradients.shape) == channels
    grid = (1, 1) if same_everywhere else (height, width)
    return ops.reshape(gradients, (1, *grid, channels))
