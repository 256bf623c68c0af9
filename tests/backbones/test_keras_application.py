import inspect

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.utils import file_utils

from kerasad.backbones.backbone import fold_batch_normalization
from kerasad.backbones.keras_application import (
    _preprocessed,
    application_names,
    build_keras_application,
    last_at_strides,
)
from kerasad.errors import InputError


def random_images(shape, batch=1):
    return np.random.default_rng(0).random((batch, *shape)).astype("float32")


@pytest.fixture(scope="module")
def mobile_net():
    """A random network and its tensors. Only to be looked at."""
    return build_keras_application("MobileNetV2", (64, 40, 3), weights=None)


@pytest.mark.parametrize("name", application_names())
def test_images_are_preprocessed_as_each_models_own_function_does(name):
    images = random_images((5, 4, 3), 2)
    inputs = keras.Input((5, 4, 3))
    outputs = keras.Model(inputs, _preprocessed(inputs, name))(images)
    preprocess_input = inspect.getmodule(getattr(keras.applications, name)).preprocess_input
    expected = preprocess_input(images.astype("float64") * 255)
    np.testing.assert_allclose(outputs, expected, atol=2e-5 * np.abs(expected).max())


def test_a_model_gives_what_kerass_own_gives_for_preprocessed_pixels(mobile_net):
    network, tensors = mobile_net
    own = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(64, 40, 3))
    own.set_weights(network.get_weights())
    images = random_images((64, 40, 3), 2)
    expected = own(keras.applications.mobilenet_v2.preprocess_input(images * 255))
    np.testing.assert_allclose(network(images), expected, atol=1e-5)
    np.testing.assert_allclose(fold_batch_normalization(network)(images), expected, atol=1e-5)
    assert tensors["out_relu"] is network.output


def test_its_tensors_are_found_by_the_names_of_its_layers(mobile_net):
    network, tensors = mobile_net
    assert {"Conv1_relu", "block_2_add", "block_16_project_BN"} <= set(tensors)
    assert tensors["block_2_add"] is network.get_layer("block_2_add").output


def test_automatic_names_count_from_the_first_of_the_model():
    _, before = build_keras_application("MobileNetV3Small", (32, 32, 3), weights=None)
    keras.layers.ReLU()
    network, after = build_keras_application("MobileNetV3Small", (32, 32, 3), weights=None)
    assert {"re_lu", "re_lu_2", "activation", "multiply", "preprocess_input"} <= set(after)
    assert "re_lu" not in {layer.name for layer in network.layers}
    assert list(after) == list(before)
    for name, tensor in after.items():
        assert tensor.shape == before[name].shape, name


def test_the_last_layers_of_a_quarter_an_eighth_and_a_sixteenth_of_the_size(mobile_net):
    network, tensors = mobile_net
    names = last_at_strides(network, tensors, (4, 8, 16))
    assert names == ["block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu"]
    assert [tensors[name].shape[1:3] for name in names] == [(16, 10), (8, 5), (4, 3)]


def test_branches_of_a_block_are_no_last_layers():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(2, 4, strides=4, name="stem")(inputs)
    x = keras.ops.add(x, layers.Conv2D(2, 1, name="branch")(x))
    y = layers.Conv2D(4, 1, name="branch_before_halving")(x)
    y = layers.Conv2D(4, 2, strides=2, name="halving")(y)
    x = layers.Conv2D(4, 2, strides=2, name="shortcut")(x)
    x = layers.Add(name="last")([x, y])
    network = keras.Model(inputs, layers.GlobalAveragePooling2D(name="mean")(x))
    names = ["images", "stem", "branch", "sum", "branch_before_halving", "halving", "shortcut"]
    outputs = {operation.name: operation.output for operation in network.operations}
    tensors = {"sum" if name.startswith("add") else name: x for name, x in outputs.items()}
    assert set(names[1:]) < set(tensors)
    assert last_at_strides(network, tensors, (4, 8)) == ["sum", "last"]


def test_sizes_that_no_layer_has_ask_for_names(mobile_net):
    with pytest.raises(InputError, match=r"no layers of exactly 1/4, 1/64 .*as `taps`, such as"):
        last_at_strides(*mobile_net, (4, 64))


def test_images_that_are_too_small_are_told():
    with pytest.raises(InputError, match=r"Xception cannot be built for images \(32, 32, 3\)"):
        build_keras_application("Xception", (32, 32, 3), weights=None)


def test_a_file_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "missing.weights.h5"
    with pytest.raises(InputError, match=r"missing\.weights\.h5 is not a file"):
        build_keras_application("MobileNetV2", (32, 32, 3), weights=path)


def test_weights_may_be_a_file_of_ones_own(mobile_net, tmp_path):
    network, _ = mobile_net
    own = keras.applications.MobileNetV2(weights=None, include_top=False)
    own.set_weights(network.get_weights())
    own.save_weights(tmp_path / "own.weights.h5")
    again, _ = build_keras_application("MobileNetV2", (32, 32, 3), tmp_path / "own.weights.h5")
    for weight, other in zip(again.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_a_failed_download_is_one_sentence(monkeypatch, tmp_path):
    def fail(url, *_):
        raise file_utils.urllib.error.URLError("no route")

    monkeypatch.setattr(file_utils, "urlretrieve", fail)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    with pytest.raises(InputError, match=r"weights 'imagenet' of MobileNetV2 cannot.*no route"):
        build_keras_application("MobileNetV2", (96, 96, 3))
