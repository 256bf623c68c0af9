import keras
import numpy as np
import pytest
from keras import layers

from kerasad.backbones.taps import select_taps
from kerasad.errors import InputError, unknown_name


@pytest.fixture
def network():
    inputs = keras.Input((4, 4, 1), name="images")
    outputs = {"block_0": layers.Rescaling(2.0, name="double")(inputs)}
    outputs["block_1"] = layers.Rescaling(1.0, 5.0, name="shift")(outputs["block_0"])
    outputs["block_2"] = layers.Conv2D(1, 1, name="conv")(outputs["block_1"])
    return keras.Model(inputs, outputs, name="steps")


def test_a_network_ends_with_the_last_tap_and_keeps_their_order(network):
    cut = select_taps(network, network.output, ["block_1", "block_0"])
    assert cut.name == "steps"
    assert [layer.name for layer in cut.layers] == ["images", "double", "shift"]
    outputs = cut(np.ones((1, 4, 4, 1), "float32"))
    assert [(name, float(values[0, 0, 0, 0])) for name, values in outputs.items()] == [
        ("block_1", 7.0),
        ("block_0", 2.0),
    ]


@pytest.mark.parametrize("taps", [[], "block_1", ["block_1", "block_1"]])
def test_taps_are_different_names_in_a_list(network, taps):
    with pytest.raises(InputError, match="`taps` must be one or more different names in a list"):
        select_taps(network, network.output, taps)


@pytest.mark.parametrize(
    ("tap", "hint"),
    [
        ("Block2", "did you mean 'block_2'"),
        ("layer", r"known: block_0, block_1, block_2\."),
        (2, r"known: block_0, block_1, block_2\."),
    ],
)
def test_an_unknown_tap_is_told_with_the_nearest(network, tap, hint):
    with pytest.raises(InputError, match=rf"`taps`: Unknown tap of steps {tap!r}; {hint}"):
        select_taps(network, network.output, [tap])


def test_a_long_list_is_cut_short():
    sentence = unknown_name("step", "?", [f"step_{index}" for index in range(30)])
    assert sentence.startswith("Unknown step '?'; known: step_0, step_1, ")
    assert sentence.endswith("step_19 and 10 more.")
