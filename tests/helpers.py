"""Checks that many test files share."""

import json

import keras
import numpy as np

TINY_MODEL = {
    "filters": 2,
    "depth": 2,
    "embedding_dim": 4,
    "latent": "conv",
    "latent_dim": 2,
    "adacos": "none",
}
"""Arguments of a `VAEGAN` that is as small as it may be."""


def as_numpy(outputs):
    return [np.asarray(value, dtype="float32") for value in keras.tree.flatten(outputs)]


def check_layer(make, *inputs, shape, dtype="float32", mixed_dtype=None, tolerance=2e-2, **options):
    """Checks what every layer promises, whatever it computes.

    Shape and dtype of the output, known before any value is; a round trip of the config through
    JSON and Keras, with the weights; the same values under both mixed-precision policies.

    Args:
        make: callable that takes keyword arguments of `keras.layers.Layer` and returns a layer.
        *inputs: arrays to call the layer on.
        shape: expected shape of the output.
        dtype: expected dtype of the output.
        mixed_dtype: expected dtype under a mixed policy; None is the policy's compute dtype.
        tolerance: float. How far mixed precision may be from full precision.
        **options: further arguments of the call, such as `training`.

    Returns:
        layer: the layer, built, in full precision.
    """
    layer = make()
    symbolic = [keras.KerasTensor(np.shape(value), dtype=value.dtype) for value in inputs]
    expected = make()(*symbolic, **options)
    outputs = layer(*inputs, **options)
    assert tuple(outputs.shape) == tuple(expected.shape) == tuple(shape)
    assert outputs.dtype == expected.dtype == dtype

    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config, "the config must be plain JSON"
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert again.get_config() == config
    again(*inputs, **options)
    again.set_weights(layer.get_weights())
    reference = make()
    reference(*inputs, **options)
    reference.set_weights(layer.get_weights())
    check_equal(again(*inputs, **options), reference(*inputs, **options))

    for policy in ("mixed_float16", "mixed_bfloat16"):
        mixed = make(dtype=policy)
        expected = mixed(*symbolic, **options)
        mixed(*inputs, **options)
        mixed.set_weights(layer.get_weights())
        reference.set_weights(layer.get_weights())
        values = mixed(*inputs, **options)
        wanted = mixed_dtype or mixed.compute_dtype
        assert values.dtype == expected.dtype == wanted, policy
        for value, full in zip(
            as_numpy(values), as_numpy(reference(*inputs, **options)), strict=True
        ):
            np.testing.assert_allclose(value, full, atol=tolerance, err_msg=policy)
    return layer


def check_equal(outputs, others):
    """Checks that two structures of tensors hold the same values, bit by bit."""
    for value, other in zip(as_numpy(outputs), as_numpy(others), strict=True):
        np.testing.assert_array_equal(value, other)
