"""`tf.function` and `Dataset.map` without AutoGraph: control flow is written as operations here.

AutoGraph would rewrite every function that they call, Keras' own included, to find Python's `if`
and `for` over tensors. There are none, and looking for them would take time in every process.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def compiled(function: Callable, **options) -> Callable:
    """Returns `tf.function` of a function, without AutoGraph; a tensor in an `if` is an error.

    Args:
        function: callable.
        **options: of `tf.function`, such as `reduce_retracing` and `input_signature`.
    """
    return tf.function(function, autograph=False, **options)


def compiled_for_batches(function: Callable) -> Callable:
    """Returns `compiled` of a function of batches, with one graph for any number of images.

    `reduce_retracing` alone would trace a function twice: for the first batch, and for any number
    of images once another comes, as the last one of a dataset is.

    Args:
        function: callable of arrays, tensors, None and structures of them. The first axis of each
            array and tensor is the batch.
    """
    return for_any_batch(compiled(function, reduce_retracing=True))


def for_any_batch(function: Callable) -> Callable:
    """Returns a `tf.function` of batches that is traced for any number of images at once.

    Args:
        function: `tf.function` with `reduce_retracing`, see `compiled_for_batches`.
    """

    def call(*arguments):
        function.get_concrete_function(*tf.nest.map_structure(_any_batch, arguments))
        return function(*arguments)

    return call


def _any_batch(value):
    if isinstance(value, np.ndarray | tf.Tensor) and len(value.shape):
        return tf.TensorSpec((None, *value.shape[1:]), value.dtype)
    return value


def map_dataset(
    dataset: tf.data.Dataset, function: Callable, parallel: bool | int = True
) -> tf.data.Dataset:
    """Returns `dataset.map` without AutoGraph, in the order of the dataset.

    Args:
        dataset: `tf.data.Dataset`.
        function: from an element, its parts as arguments if it is a tuple.
        parallel: bool or int. Whether several elements may be worked on at once, or how many.
    """
    calls = tf.data.AUTOTUNE if parallel is True else parallel
    options = {"num_parallel_calls": calls, "deterministic": True} if parallel else {}
    return dataset.map(tf.autograph.experimental.do_not_convert(function), **options)
