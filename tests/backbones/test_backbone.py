import json
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasad.backbones import build_backbone, build_efficientnet_lite, build_resnet18
from kerasad.errors import InputError
from kerasad.precision import dtype_policy_scope


def random_images(shape, batch=2):
    return np.random.default_rng(0).random((batch, *shape)).astype("float32")


@pytest.fixture(scope="module")
def backbone():
    """The default taps of EfficientNet-Lite0. Only to be looked at."""
    return build_backbone("efficientnet_lite0", (37, 30, 3))


def test_efficientnet_lite0_gives_blocks_2_4_and_10(backbone):
    images = random_images((37, 30, 3))
    outputs = backbone(images)
    assert [(name, values.shape) for name, values in outputs.items()] == [
        ("block_2", (2, 10, 8, 24)),
        ("block_4", (2, 5, 4, 40)),
        ("block_10", (2, 3, 2, 112)),
    ]
    expected = build_efficientnet_lite("efficientnet_lite0", (37, 30, 3))(images)
    for name, values in outputs.items():
        np.testing.assert_allclose(values, expected[name], atol=2e-4)


def test_resnet18_gives_features_2_to_4():
    keras.utils.set_random_seed(1)
    backbone = build_backbone("resnet18", (32, 24, 3), weights=None)
    keras.utils.set_random_seed(1)
    images = random_images((32, 24, 3))
    expected = build_resnet18((32, 24, 3))(images)
    outputs = backbone(images)
    assert list(outputs) == ["features_2", "features_3", "features_4"]
    for name, values in outputs.items():
        assert np.max(values) > 0.1, "values too small to compare"
        np.testing.assert_allclose(values, expected[name], atol=1e-4)


def test_nothing_is_left_of_what_no_tap_needs(backbone):
    names = [layer.name for layer in backbone.layers]
    assert "block_10_add" in names
    assert not any(name.startswith(("block_11", "head")) or name.endswith("_bn") for name in names)


def test_it_is_frozen_also_inside_a_model_that_trains():
    # Normalizations that follow no convolution are left in it.
    taps = ["conv2_block1_out"]
    backbone = build_backbone("ResNet50V2", (32, 32, 3), taps, weights=None)
    assert any(isinstance(layer, keras.layers.BatchNormalization) for layer in backbone.layers)
    inputs = keras.Input((32, 32, 3))
    outer = keras.Model(inputs, keras.layers.Conv2D(1, 1)(backbone(inputs)[taps[0]]))
    assert len(outer.trainable_variables) == 2
    before = backbone.get_weights()
    images = random_images((32, 32, 3))
    outputs = backbone(images)[taps[0]]
    outer.compile(optimizer="sgd", loss="mse")
    outer.train_on_batch(images, np.zeros((2, *outer.output.shape[1:])))
    np.testing.assert_array_equal(backbone(images, training=True)[taps[0]], outputs)
    for weight, other in zip(backbone.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, other)


@pytest.fixture(scope="module")
def mixed_backbone():
    """One that was built under a mixed policy. Only to be looked at."""
    with dtype_policy_scope("mixed_bfloat16"):
        taps = ["block_0", "block_2", "block_4", "block_10"]
        return build_backbone("efficientnet_lite0", (37, 30, 3), taps)


def test_a_mixed_policy_changes_nothing(backbone, mixed_backbone):
    with dtype_policy_scope("mixed_bfloat16"):
        outer = keras.Sequential([keras.Input((37, 30, 3)), mixed_backbone])
    images = random_images((37, 30, 3))
    for outputs in (mixed_backbone(images), outer(images)):
        for name, expected in backbone(images).items():
            assert outputs[name].dtype == "float32"
            np.testing.assert_array_equal(outputs[name], expected)


def test_the_last_bit_of_a_16_bit_image_counts_in_the_dark(mixed_backbone):
    dark, brighter, yet_brighter = (
        mixed_backbone(np.full((1, 37, 30, 3), k / 65535, "float32"))["block_0"] for k in range(3)
    )
    step = np.asarray(brighter - dark)[0, 9, 7]
    assert np.all(step != 0)
    np.testing.assert_allclose((yet_brighter - brighter)[0, 9, 7], step, rtol=0.2, atol=1e-5)


def test_a_saved_backbone_consists_of_classes_of_keras_alone(backbone):
    assert "kerasad" not in json.dumps(keras.saving.serialize_keras_object(backbone))


@pytest.mark.slow
def test_backbones_load_in_a_fresh_process_without_kerasad_under_any_policy(backbone, tmp_path):
    # VGG16 reverses the channels outside of a layer.
    vgg = build_backbone("VGG16", (None, None, 3), ["block2_conv2"], weights=None)
    images, expected = random_images((37, 30, 3)), {}
    for name, network in (("lite", backbone), ("vgg", vgg)):
        network.save(tmp_path / f"{name}.keras")
        expected.update({f"{name}_{tap}": x for tap, x in network(images).items()})
    np.save(tmp_path / "images.npy", images)
    code = (
        "import keras, numpy as np\n"
        "images, outputs = np.load('images.npy'), {}\n"
        "for name, policy in (('lite', 'mixed_bfloat16'), ('vgg', 'float32')):\n"
        "    keras.config.set_dtype_policy(policy)\n"
        "    network = keras.saving.load_model(f'{name}.keras', safe_mode=True)\n"
        "    assert not network.trainable_variables\n"
        "    outputs.update({f'{name}_{tap}': x for tap, x in network(images).items()})\n"
        "np.savez('outputs.npz', **outputs)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "outputs.npz") as outputs:
        assert set(outputs) == set(expected)
        for name, values in outputs.items():
            np.testing.assert_array_equal(values, expected[name])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mobilenetv2", "did you mean 'MobileNetV2'"),
        ("efficientnet_lite", "did you mean 'efficientnet_lite[02]' or 'efficientnet_lite[02]'"),
        ("resnet-18", "did you mean 'resnet18'"),
        (
            "?",
            r"known: efficientnet_lite0, efficientnet_lite2, resnet18, .* and \d+ more",
        ),
    ],
)
def test_an_unknown_backbone_is_told_with_the_nearest(name, hint):
    with pytest.raises(InputError, match=rf"Unknown backbone '{re.escape(name)}'; {hint}"):
        build_backbone(name, (32, 32, 3))


def test_an_unknown_tap_is_told_with_the_nearest():
    with pytest.raises(
        InputError, match="Unknown tap of VGG16 'Block2_conv_2'; did you mean 'block2_conv2'"
    ):
        build_backbone("VGG16", (32, 32, 3), ["Block2_conv_2"], weights=None)


def test_resnet18_asks_for_a_file():
    with pytest.raises(InputError, match="resnet18 has no weights in a package; pass the path"):
        build_backbone("resnet18", (32, 32, 3))
