import re

import keras
import numpy as np
import pytest
from keras import layers
from scipy.signal import correlate

from kerasad.backbones.torch_weights import assign_torch_weights
from kerasad.errors import InputError

GENERATOR = np.random.default_rng(0)
# An asymmetric kernel of two unlike sides: each wrong order of its axes shows.
TENSORS = {
    "conv1.weight": GENERATOR.normal(size=(4, 3, 3, 2)).astype("float32"),
    "conv1.bias": GENERATOR.normal(size=4).astype("float32"),
    "bn1.weight": GENERATOR.uniform(0.5, 2, size=4).astype("float32"),
    "bn1.bias": GENERATOR.normal(size=4).astype("float32"),
    "bn1.running_mean": GENERATOR.normal(size=4).astype("float32"),
    "bn1.running_var": GENERATOR.uniform(0.5, 2, size=4).astype("float32"),
}


def make_network():
    inputs = keras.Input((7, 6, 3))
    x = layers.Conv2D(4, (3, 2), name="conv1")(inputs)
    x = layers.BatchNormalization(epsilon=1e-5, name="bn1")(x)
    return keras.Model(inputs, layers.ReLU()(x), name="block")


def assign(network, tensors, **options):
    assign_torch_weights(network, tensors, "x.pth", lambda name: name.replace("_", "."), **options)


def torch_block(image):
    """What PyTorch computes from `TENSORS` for one image (channels, height, width)."""
    maps = []
    for channel in range(4):
        kernel = TENSORS["conv1.weight"][channel].astype("float64")
        value = correlate(image, kernel, mode="valid")[0] + TENSORS["conv1.bias"][channel]
        scale = np.sqrt(TENSORS["bn1.running_var"][channel] + 1e-5)
        value = (value - TENSORS["bn1.running_mean"][channel]) / scale
        maps.append(value * TENSORS["bn1.weight"][channel] + TENSORS["bn1.bias"][channel])
    return np.maximum(maps, 0)


def test_a_normalized_convolution_computes_what_pytorch_defines():
    network, images = make_network(), GENERATOR.random((2, 7, 6, 3))
    assign(network, TENSORS)
    expected = np.stack([torch_block(image.transpose(2, 0, 1)) for image in images])
    outputs = np.asarray(network(images))
    np.testing.assert_allclose(outputs, expected.transpose(0, 2, 3, 1), atol=1e-5)


def test_counters_and_ignored_tensors_are_left_aside():
    extra = {"bn1.num_batches_tracked": np.array(3), "fc.weight": np.zeros((2, 4), "float32")}
    network, plain = make_network(), make_network()
    assign(network, {**TENSORS, **extra}, ignored=("fc.",))
    assign(plain, TENSORS)
    for weight, other in zip(network.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def changed(**tensors):
    tensors = {name.replace("_", ".", 1): value for name, value in tensors.items()}
    return {name: value for name, value in {**TENSORS, **tensors}.items() if value is not None}


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        (
            changed(conv1_bias=None, extra_a=np.zeros(1), extra_b=np.zeros(1)),
            r"x\.pth does not fit the network 'block': conv1\.bias is missing, and extra\.a, "
            r"extra\.b are unknown",
        ),
        (changed(conv1_bias=None), r"conv1\.bias is missing, and nothing is unknown"),
        ({}, r"bn1\.bias, bn1\.running_mean, bn1\.running_var and 3 more are missing"),
        (
            changed(conv1_weight=TENSORS["conv1.weight"].transpose(0, 1, 3, 2)),
            r"conv1\.weight in the shape \(4, 3, 2, 3\), and \(4, 3, 3, 2\) was expected",
        ),
        (changed(bn1_weight=np.ones(1, "float32")), r"bn1\.weight in the shape \(1,\), and \(4,\)"),
        (changed(bn1_bias=np.full(4, np.nan)), r"bn1\.bias with values that are not finite"),
        (changed(bn1_bias=np.zeros(4, "int64")), r"bn1\.bias with values that are not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_named_and_nothing_is_set(tensors, sentence):
    network = make_network()
    before = network.get_weights()
    with pytest.raises(InputError, match=sentence):
        assign(network, tensors)
    for weight, other in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_a_variable_without_a_counterpart_is_named():
    network = make_network()
    network = keras.Model(network.input, layers.PReLU(name="slope")(network.output))
    with pytest.raises(InputError, match=r"no PyTorch module holds: slope/alpha\."):
        assign(network, TENSORS)


def test_two_layers_of_one_counterpart_are_refused():
    inputs = keras.Input((7, 6, 3))
    x = layers.Conv2D(3, 1, name="conv_1")(inputs)
    network = keras.Model(inputs, layers.Conv2D(3, 1, name="conv.1")(x))
    tensors = {"conv.1.weight": np.zeros((3, 3, 1, 1), "float32"), "conv.1.bias": np.zeros(3)}
    with pytest.raises(InputError, match=r"conv_1/kernel"):
        assign(network, tensors)


def test_a_depthwise_convolution_and_a_dense_layer_compute_what_pytorch_defines():
    tensors = {
        "conv1.weight": GENERATOR.normal(size=(6, 1, 3, 2)).astype("float32"),
        "conv1.bias": GENERATOR.normal(size=6).astype("float32"),
        "fc.weight": GENERATOR.normal(size=(5, 6)).astype("float32"),
        "fc.bias": GENERATOR.normal(size=5).astype("float32"),
    }
    inputs = keras.Input((7, 6, 3))
    x = layers.DepthwiseConv2D((3, 2), depth_multiplier=2, name="conv1")(inputs)
    network = keras.Model(inputs, layers.Dense(5, name="fc")(x))
    assign(network, tensors)
    image = GENERATOR.random((7, 6, 3))
    # The output channels 2c and 2c + 1 are made of the input channel c.
    maps = [
        correlate(image[..., channel // 2], tensors["conv1.weight"][channel, 0], mode="valid")
        + tensors["conv1.bias"][channel]
        for channel in range(6)
    ]
    expected = np.stack(maps, axis=-1) @ tensors["fc.weight"].T + tensors["fc.bias"]
    np.testing.assert_allclose(np.asarray(network(image[None]))[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.DepthwiseConv2D((3, 2), depth_multiplier=2), (3, 2, 3, 2), "(6, 1, 3, 2)"),
        (layers.Dense(5), (3, 5), "(5, 3)"),
    ],
)
def test_shapes_are_told_in_pytorchs_axes(layer, shape, expected):
    inputs = keras.Input((7, 6, 3))
    layer = type(layer).from_config({**layer.get_config(), "name": "x"})
    network = keras.Model(inputs, layer(inputs))
    tensors = {"x.weight": np.zeros(shape, "float32"), "x.bias": np.zeros(layer.bias.shape[0])}
    with pytest.raises(InputError, match=rf"{re.escape(str(shape))}, and {re.escape(expected)}"):
        assign(network, tensors)
