import numpy as np
import pytest

import kerasad
from kerasad.errors import InputError
from kerasad.models import CAVGA, WeaklySupervisedCAVGA

SHAPE = (16, 16, 3)


@pytest.mark.parametrize("name", ["filters", "latent_dim", "depth", "seed", "kl_warmup_steps"])
@pytest.mark.parametrize("value", ["x", 2.5, [2], True])
def test_what_is_no_whole_number_is_named(name, value):
    with pytest.raises(InputError, match=f"`{name}` must be a whole number. Received: "):
        kerasad.VAEGAN(SHAPE, **{name: value})


@pytest.mark.parametrize("name", ["kl_weight", "corruption", "ssim_weight"])
@pytest.mark.parametrize("value", [None, "1", float("nan"), float("inf"), {}])
def test_what_is_no_finite_number_is_named(name, value):
    with pytest.raises(InputError, match=f"`{name}` must be a finite number. Received: "):
        kerasad.VAEGAN(SHAPE, **{name: value})


@pytest.mark.parametrize("value", [1.5, "last", 0, 9])
def test_an_attention_layer_that_is_none_is_named(value):
    with pytest.raises(InputError, match="`attention_layer` must be"):
        kerasad.VAEGAN(SHAPE, attention_layer=value)


@pytest.mark.parametrize(
    ("model_class", "name"),
    [
        (CAVGA, "attention_weight"),
        (CAVGA, "encoder_weights"),
        (WeaklySupervisedCAVGA, "guidance_weight"),
        (WeaklySupervisedCAVGA, "classification_weight"),
        (WeaklySupervisedCAVGA, "attention_weight"),
    ],
)
def test_arguments_of_a_subclass_are_checked_alike(model_class, name):
    with pytest.raises(InputError, match=f"`{name}` must be "):
        model_class(SHAPE, **{name: [1]})


def test_numbers_of_numpy_are_numbers():
    small = {"latent_dim": np.int64(2), "filters": np.int32(2), "embedding_dim": 2}
    assert kerasad.VAEGAN(SHAPE, kl_weight=np.float32(0.5), **small).latent_dim == 2
