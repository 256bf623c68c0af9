"""Bytes and numbers at a place of a file, in TensorFlow operations that copy nothing else."""

import tensorflow as tf


def bytes_at(image_bytes, position, length: int) -> tf.Tensor:
    """Returns uint8 (length,): bytes of a string tensor, zeros behind its end."""
    position = tf.minimum(tf.cast(position, tf.int64), size_of(image_bytes))
    part = tf.strings.substr(image_bytes, position, tf.constant(length, tf.int64))
    return tf.io.decode_raw(part, tf.uint8, fixed_length=length)


def size_of(image_bytes) -> tf.Tensor:
    """Returns the number of bytes, int64."""
    return tf.cast(tf.strings.length(image_bytes), tf.int64)


def big_endian(digits) -> tf.Tensor:
    """Returns the unsigned number of 1 to 4 bytes, most significant first, as int64."""
    powers = [256**power for power in reversed(range(digits.shape[0]))]
    return tf.reduce_sum(tf.cast(digits, tf.int64) * powers)


def little_endian(digits) -> tf.Tensor:
    """Returns the unsigned number of 1 to 4 bytes, least significant first, as int64."""
    return big_endian(digits[::-1])


def zero() -> tf.Tensor:
    """Returns 0 as int64, the type of all positions."""
    return tf.constant(0, tf.int64)
