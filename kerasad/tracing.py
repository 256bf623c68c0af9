"""`tf.function` and `Dataset.map` without AutoGraph: control flow is written as operations here.

AutoGraph would rewrite every function that they call, Keras' own included, to find Python's `if`
and `for` over tensors. There are none, and looking for them would take time in every process.
"""

from collections.abc import Callable

import tensorflow as tf


def compiled(function: Callable, **options) -> Callable:
    """Returns `tf.function` of a function, without AutoGraph; a tensor in an `if` is an error.

    Args:
        function: callable.
        **options: of `tf.function`, such as `reduce_retracing` and `input_signature`.
    """
    return tf.function(function, autograph=False, **options)


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
