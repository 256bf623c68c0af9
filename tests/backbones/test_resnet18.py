import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch_writing as writing
from numpy.lib.stride_tricks import sliding_window_view

from kerasad.backbones import build_resnet18
from kerasad.backbones.resnet18 import load_resnet18_weights
from kerasad.errors import InputError

CHANNELS = {
    2: [64, 512],
    3: [64, 64, 512],
    4: [64, 64, 128, 512],
    5: [64, 64, 128, 256, 512],
}


def random_images(shape, batch=2):
    return np.random.default_rng(0).random((batch, *shape)).astype("float32")


def torch_shapes():
    """The names and shapes of torchvision's file, without its counters."""
    shapes = {"conv1.weight": (64, 3, 7, 7), "bn1": 64}
    before = 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, before, 3, 3)
            shapes[f"{name}.bn1"] = width
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            shapes[f"{name}.bn2"] = width
            if before != width:
                shapes[f"{name}.downsample.0.weight"] = (width, before, 1, 1)
                shapes[f"{name}.downsample.1"] = width
            before = width
    return shapes


@pytest.fixture(scope="module")
def tensors():
    """Random weights that keep activations near 1 in size, and what a trunk must ignore."""
    generator = np.random.default_rng(1)
    tensors = {}
    for name, shape in torch_shapes().items():
        if name.endswith("weight"):
            scale = np.sqrt(2 / np.prod(shape[1:]))
            tensors[name] = scale * generator.normal(size=shape)
        else:
            tensors[f"{name}.weight"] = generator.uniform(0.4, 1.2, shape)
            tensors[f"{name}.bias"] = generator.normal(size=shape) / 4
            tensors[f"{name}.running_mean"] = generator.normal(size=shape) / 4
            tensors[f"{name}.running_var"] = generator.uniform(0.5, 2, shape)
    tensors = {name: value.astype("float32") for name, value in tensors.items()}
    tensors["bn1.num_batches_tracked"] = np.array(7)
    tensors["fc.weight"] = np.zeros((10, 512), "float32")
    tensors["fc.bias"] = np.zeros(10, "float32")
    return tensors


@pytest.fixture(scope="module")
def weights_file(tensors, tmp_path_factory):
    """Those weights as a file in PyTorch's format, and its digest."""
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    return path, writing.write_tensors(path, tensors)


@pytest.fixture(scope="module")
def trunk():
    """A random trunk at depth 5. Only to be looked at."""
    return build_resnet18((32, 32, 3))


def conv(x, kernel, stride):
    pad = kernel.shape[-1] // 2
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(x, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    return np.tensordot(kernel, windows, axes=((1, 2, 3), (0, 3, 4)))


def norm(x, tensors, name):
    mean, var, weight, bias = (
        tensors[f"{name}.{part}"].astype("float64")[:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(var + 1e-5) * weight + bias


def torch_resnet18(image, tensors, strides):
    """The stages of torchvision's ResNet-18 for one image (height, width, 3), in NumPy."""
    x = (image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    x = conv(x.transpose(2, 0, 1), tensors["conv1.weight"], 2)
    x = np.maximum(norm(x, tensors, "bn1"), 0)
    stages = [x]
    x = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    x = sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2].max((-2, -1))
    for stage, stage_stride in enumerate(strides, start=1):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 1 if block else stage_stride
            y = norm(conv(x, tensors[f"{name}.conv1.weight"], stride), tensors, f"{name}.bn1")
            y = conv(np.maximum(y, 0), tensors[f"{name}.conv2.weight"], 1)
            y = norm(y, tensors, f"{name}.bn2")
            if f"{name}.downsample.0.weight" in tensors:
                x = conv(x, tensors[f"{name}.downsample.0.weight"], stride)
                x = norm(x, tensors, f"{name}.downsample.1")
            x = np.maximum(x + y, 0)
        stages.append(x)
    return stages


@pytest.mark.parametrize(
    ("shape", "depth", "strides", "kept"),
    [
        ((32, 32, 3), 5, (1, 2, 2, 2), [0, 1, 2, 3, 4]),
        ((17, 23, 3), 3, (1, 2, 1, 1), [0, 1, 4]),
    ],
)
def test_the_whole_network_computes_what_torchvision_defines(
    tensors, weights_file, shape, depth, strides, kept
):
    trunk = build_resnet18(shape, depth)
    load_resnet18_weights(trunk, *weights_file)
    images = random_images(shape)
    outputs = {name: np.asarray(value) for name, value in trunk(images).items()}
    for index, image in enumerate(images):
        stages = torch_resnet18(image.astype("float64"), tensors, strides)
        for level, stage in enumerate(kept, start=1):
            expected = stages[stage].transpose(1, 2, 0)
            assert expected.max() > 0.5, "values too small to compare"
            np.testing.assert_allclose(outputs[f"features_{level}"][index], expected, atol=2e-4)


@pytest.mark.parametrize("depth", CHANNELS)
def test_features_halve_upwards_and_end_with_the_last_stage(depth):
    trunk = build_resnet18((50, 33, 3), depth)
    sizes = [(25, 17), (13, 9), (7, 5), (4, 3), (2, 2)][:depth]
    outputs = trunk(random_images((50, 33, 3)))
    assert list(outputs) == [f"features_{level}" for level in range(1, depth + 1)]
    for (height, width), channels, values in zip(
        sizes, CHANNELS[depth], outputs.values(), strict=True
    ):
        assert tuple(values.shape) == (2, height, width, channels)
        assert np.min(values) >= 0
    last = trunk.get_layer("layer4").output
    assert last is trunk.output[f"features_{depth}"]


def test_stages_are_found_by_name(trunk):
    assert trunk.get_layer("layer2").output is trunk.output["features_3"]
    assert [trunk.get_layer(f"layer{stage}").output.shape[-1] for stage in range(1, 5)] == [
        64,
        128,
        256,
        512,
    ]


def test_it_has_the_parameters_of_resnet18_without_its_classifier(trunk):
    assert sum(np.prod(variable.shape) for variable in trunk.trainable_variables) == 11_176_512
    norms = [layer for layer in trunk.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(layer.epsilon, layer.momentum) for layer in norms} == {(1e-5, 0.9)}
    assert len(norms) == 20


def test_gradients_reach_every_weight(trunk):
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(trunk(random_images((32, 32, 3)), training=True)["features_5"])
    gradients = tape.gradient(loss, [variable.value for variable in trunk.trainable_variables])
    for gradient, variable in zip(gradients, trunk.trainable_variables, strict=True):
        assert np.any(gradient.numpy()), variable.path


@pytest.mark.slow
def test_it_loads_in_a_fresh_process_without_kerasad(tmp_path, weights_file):
    trunk, images = build_resnet18((17, 23, 3), 4), random_images((17, 23, 3))
    load_resnet18_weights(trunk, *weights_file)
    trunk.save(tmp_path / "trunk.keras")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import keras, numpy as np\n"
        "trunk = keras.saving.load_model('trunk.keras', safe_mode=True)\n"
        "np.savez('outputs.npz', **trunk.predict(np.load('images.npy'), verbose=0))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "outputs.npz") as outputs:
        for name, expected in trunk.predict(images, verbose=0).items():
            np.testing.assert_array_equal(outputs[name], expected)


@pytest.mark.parametrize(
    "policy", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
def test_mixed_precision_gives_nearly_the_same_in_half_the_bits(weights_file, policy):
    full = build_resnet18((24, 24, 3), 2)
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        mixed = build_resnet18((24, 24, 3), 2)
    finally:
        keras.config.set_dtype_policy(previous)
    images = random_images((24, 24, 3))
    for trunk in (full, mixed):
        load_resnet18_weights(trunk, *weights_file)
    for name, values in mixed(images).items():
        assert values.dtype == policy.removeprefix("mixed_")
        expected = np.asarray(full(images)[name])
        error = np.abs(np.asarray(keras.ops.cast(values, "float32")) - expected)
        assert error.max() < 0.05 * expected.max(), name
    assert {variable.dtype for variable in mixed.variables} == {"float32"}


def test_only_torchvisions_own_files_are_weights(weights_file):
    path, digest = weights_file
    with pytest.raises(InputError, match=rf"its sha256 is {digest}, and should be f37072fd or"):
        build_resnet18((32, 32, 3), weights=path)


def test_weights_of_another_network_are_refused_with_their_names(tensors, tmp_path):
    path = tmp_path / "resnet34.pth"
    more = {"layer1.2.conv1.weight": np.zeros((64, 64, 3, 3), "float32")}
    less = {name: value for name, value in tensors.items() if name != "layer4.1.bn2.running_var"}
    digest = writing.write_tensors(path, {**less, **more})
    with pytest.raises(
        InputError,
        match=r"resnet34\.pth does not fit the network 'resnet18': layer4\.1\.bn2\.running_var is "
        r"missing, and layer1\.2\.conv1\.weight is unknown",
    ):
        load_resnet18_weights(build_resnet18((32, 32, 3)), path, digest)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"image_shape": (32, 32)}, "image_shape"),
        ({"image_shape": (32, 32, 1)}, "image_shape"),
        ({"image_shape": (0, 32, 3)}, "image_shape"),
        ({"image_shape": (32, 32, 3), "depth": 1}, "depth"),
        ({"image_shape": (32, 32, 3), "depth": 6}, "depth"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, name):
    with pytest.raises(InputError, match=f"`{name}` must be"):
        build_resnet18(**arguments)
