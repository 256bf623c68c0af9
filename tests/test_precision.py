import keras
import pytest

from kerasad.precision import dtype_policy_scope


def test_layers_of_the_scope_get_the_policy():
    before = keras.config.dtype_policy().name
    with dtype_policy_scope("mixed_bfloat16"):
        inside = keras.layers.Dense(1)
    assert inside.dtype_policy.name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == before


def test_an_error_in_the_scope_restores_the_policy():
    before = keras.config.dtype_policy().name
    with pytest.raises(ZeroDivisionError), dtype_policy_scope("mixed_float16"):
        _ = 1 / 0
    assert keras.config.dtype_policy().name == before
