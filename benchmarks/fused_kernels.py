"""Patterns of layers that TensorFlow computes differently in a graph and in eager mode.

    python benchmarks/fused_kernels.py
    TF_ENABLE_ONEDNN_OPTS=0 python benchmarks/fused_kernels.py

A graph optimizer fuses a contraction with the operations that follow it. Every contraction,
pattern, activation, dtype and batch size below is computed both ways; those that differ by more
than rounding, or fail, are printed. No network of kerasad may contain such a pattern.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from results import markdown_table

SIDE, CHANNELS = 8, 8
BATCHES = (1, 2)
TOLERANCE = {tf.float32: 1e-4, tf.bfloat16: 0.2}

ACTIVATIONS = {
    "ReLU": tf.nn.relu,
    "ReLU6": tf.nn.relu6,
    "ELU": tf.nn.elu,
    "SELU": tf.nn.selu,
    "LeakyReLU(0.1)": lambda x: tf.nn.leaky_relu(x, 0.1),
    "LeakyReLU(0.2)": lambda x: tf.nn.leaky_relu(x, 0.2),
    "LeakyReLU(0.3)": lambda x: tf.nn.leaky_relu(x, 0.3),
    "GELU": tf.nn.gelu,
    "GELU, approximate": lambda x: tf.nn.gelu(x, approximate=True),
    "SiLU": tf.nn.silu,
    "hard SiLU": lambda x: x * tf.nn.relu6(x + 3.0) / 6.0,
    "tanh": tf.tanh,
    "sigmoid": tf.sigmoid,
    "softplus": tf.nn.softplus,
}
PATTERNS = {
    "": lambda y, w: y,
    "bias": lambda y, w: tf.nn.bias_add(y, w.bias),
    "bias + add": lambda y, w: tf.nn.bias_add(y, w.bias) + w.skip,
    "bias + add, other order": lambda y, w: w.skip + (y + w.bias),
    "bias + add_n": lambda y, w: tf.add_n([tf.nn.bias_add(y, w.bias), w.skip]),
    "bias + bias of a place": lambda y, w: tf.nn.bias_add(y, w.bias) + w.place,
    "batch normalization": lambda y, w: w.normalize(y),
    "batch normalization + add": lambda y, w: w.normalize(y) + w.skip,
}


def convolve(x, kernel):
    return tf.nn.conv2d(x, kernel, 1, "SAME")


def convolve_padded(x, kernel):
    return tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), kernel, 1, "VALID")


def convolve_depthwise(x, kernel):
    return tf.nn.depthwise_conv2d(x, kernel[..., :1], (1, 1, 1, 1), "SAME")


def convolve_transposed(x, kernel):
    return tf.nn.conv2d_transpose(x, kernel, tf.shape(x), 1)


def multiply(x, kernel):
    return tf.reshape(tf.matmul(tf.reshape(x, (-1, CHANNELS)), kernel[0, 0]), tf.shape(x))


CONTRACTIONS = {
    "convolution": convolve,
    "padding + convolution": convolve_padded,
    "depthwise convolution": convolve_depthwise,
    "transposed convolution": convolve_transposed,
    "matrix product": multiply,
}


class Weights:
    """Fixed weights of a block, in a dtype."""

    def __init__(self, dtype):
        self.generator = np.random.default_rng(0)
        self.kernel = self._draw((3, 3, CHANNELS, CHANNELS), dtype, 0.3)
        self.bias = self._draw((CHANNELS,), dtype)
        self.place = self._draw((1, SIDE, SIDE, CHANNELS), dtype)
        self.statistics = [tf.abs(self._draw((CHANNELS,), tf.float32)) + 0.1 for _ in range(4)]
        self.skip = None

    def _draw(self, shape, dtype, scale=1.0):
        return tf.cast(self.generator.normal(0, scale, shape), dtype)

    def normalize(self, y):
        """Batch normalization with fixed statistics."""
        gamma, beta, mean, variance = self.statistics
        return tf.compat.v1.nn.fused_batch_norm(
            y, gamma, beta, mean=mean, variance=variance, is_training=False
        )[0]


def difference(block, images, static):
    """Returns the largest difference of a graph from eager mode, or the error's first words."""
    shape = (len(images) if static else None, *images.shape[1:])
    graph = tf.function(
        block, autograph=False, input_signature=[tf.TensorSpec(shape, images.dtype)]
    )
    eager = block(images)
    try:
        found = graph(images)
    except tf.errors.OpError as error:
        return next(line for line in error.message.splitlines() if "Fusion" in line)
    return float(tf.reduce_max(tf.abs(tf.cast(found - eager, tf.float32))))


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    rows = []
    for dtype, tolerance in TOLERANCE.items():
        weights = Weights(dtype)
        for contraction, contract in CONTRACTIONS.items():
            for pattern, follow in PATTERNS.items():
                if "normalization" in pattern and dtype != tf.float32:
                    continue
                for name, activation in ACTIVATIONS.items():

                    def block(x, w=weights, contract=contract, follow=follow, activate=activation):
                        w.skip = x
                        return activate(follow(contract(x, w.kernel), w))

                    for batch in BATCHES:
                        images = tf.random.normal((batch, SIDE, SIDE, CHANNELS), seed=batch)
                        for static in (True, False):
                            found = difference(block, tf.cast(images, dtype), static)
                            if isinstance(found, str) or found > tolerance:
                                which = f"{batch}, {'static' if static else 'dynamic'}"
                                rows.append((contraction, pattern, name, dtype.name, which, found))
    print(markdown_table(("contraction", "then", "activation", "dtype", "batch", "found"), rows))


if __name__ == "__main__":
    main()
