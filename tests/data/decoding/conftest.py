"""The decoder of exported models, traced once for all files of tests."""

import functools

import pytest
import tensorflow as tf

from kerasad.data.decoding import Decoding, decode_bytes_in_graph
from kerasad.tracing import compiled


@pytest.fixture(scope="session")
def compile_decoder():
    """Function of settings of `Decoding` that returns the decoder with them, as a graph."""

    @functools.cache
    def make(**options):
        def decode(image_bytes):
            return decode_bytes_in_graph(image_bytes, Decoding(**options))

        return compiled(decode, input_signature=[tf.TensorSpec((), tf.string)])

    return make


@pytest.fixture(scope="session")
def in_graph(compile_decoder):
    """The decoder with the default settings, as a graph."""
    return compile_decoder()
