import keras
import numpy as np
import pytest
from keras import layers

from kerasad.backbones.backbone import fold_batch_normalization

GENERATOR = np.random.default_rng(0)


def randomize(network):
    for layer in network.layers:
        layer.set_weights([GENERATOR.uniform(0.3, 1.5, w.shape) for w in layer.get_weights()])
    return network


def norms_of(network):
    norms = [layer for layer in network.layers if isinstance(layer, layers.BatchNormalization)]
    return {layer.name for layer in norms}


def test_kernel_and_bias_take_scale_and_offset_up():
    inputs = keras.Input((1, 1, 1))
    x = layers.Conv2D(1, 1, name="conv")(inputs)
    x = layers.BatchNormalization(epsilon=1.0, name="bn")(x)
    network = keras.Model(inputs, x)
    network.get_layer("conv").set_weights([np.full((1, 1, 1, 1), 5.0), np.array([7.0])])
    network.get_layer("bn").set_weights([np.array([value]) for value in (6.0, 10.0, 1.0, 3.0)])
    kernel, bias = fold_batch_normalization(network).get_layer("conv").get_weights()
    # s = 6 / sqrt(3 + 1) = 3; k' = 5 * 3; b' = (7 - 1) * 3 + 10
    assert kernel.item() == 15
    assert bias.item() == 28


def block(x, make, name, **norm):
    x = make(x)
    return layers.BatchNormalization(name=name, **norm)(x)


@pytest.mark.parametrize(
    "make",
    [
        layers.Conv2D(4, (3, 2), strides=2, padding="same", use_bias=False),
        layers.Conv2D(6, 3, padding="same", groups=3),
        layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", use_bias=False),
        layers.DepthwiseConv2D((2, 3), depth_multiplier=1),
    ],
)
@pytest.mark.parametrize("norm", [{}, {"scale": False}, {"center": False, "epsilon": 0.1}])
def test_a_folded_convolution_gives_the_same(make, norm):
    make = type(make).from_config(make.get_config())
    inputs = keras.Input((8, 7, 3))
    network = randomize(keras.Model(inputs, block(inputs, make, "bn", **norm)))
    folded = fold_batch_normalization(network)
    assert not norms_of(folded)
    images = GENERATOR.normal(size=(2, 8, 7, 3)).astype("float32")
    np.testing.assert_allclose(folded(images), network(images), rtol=1e-5, atol=1e-5)


def test_what_cannot_be_folded_stays_and_all_outputs_are_the_same():
    inputs = keras.Input((8, 8, 4), name="images")
    x = layers.BatchNormalization(name="of_the_images")(inputs)
    x = block(x, layers.Conv2D(4, 3, padding="same", name="conv_0"), "folded_0")
    x = layers.ReLU(name="relu")(x)
    y = layers.Conv2D(4, 3, padding="same", name="read_twice")(x)
    x = layers.Add(name="add")([layers.BatchNormalization(name="of_read_twice")(y), y])
    x = layers.BatchNormalization(name="of_a_sum")(keras.ops.flip(x, axis=-1))
    x = block(x, layers.Conv2D(4, 1, activation="relu", name="active"), "of_active")
    tap = layers.Conv2D(4, 1, name="tapped")(x)
    x = layers.BatchNormalization(name="of_tapped")(tap)
    x = block(x, layers.DepthwiseConv2D(3, name="conv_1"), "folded_1")
    network = randomize(keras.Model(inputs, {"last": x, "tap": tap}, name="mixture"))
    before = network.get_weights()
    folded = fold_batch_normalization(network)
    assert folded.name == "mixture"
    assert norms_of(network) - norms_of(folded) == {"folded_0", "folded_1"}
    images = GENERATOR.normal(size=(2, 8, 8, 4)).astype("float32")
    outputs, expected = folded(images), network(images)
    assert list(outputs) == ["last", "tap"]
    for name, values in outputs.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-4)
    for weight, other in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, other)
