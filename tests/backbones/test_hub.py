"""DINOv2 and DINOv3 of keras-hub, tiny and with random weights: nothing is downloaded."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerasad.backbones import build_backbone
from kerasad.backbones.patch_tokens import PatchTokens
from kerasad.errors import InputError, MissingPackageError
from kerasad.models import FeatureExtractor
from kerasad.precision import dtype_policy_scope

SMALL = {"num_layers": 2, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 12}
ARCHITECTURES = {
    "dinov2": {"family": "dinov2", "patch_size": 14, "num_register_tokens": 2, **SMALL},
    "dinov3": {"family": "dinov3", "patch_size": 16, "num_register_tokens": 3, **SMALL},
}
ARCHITECTURES["dinov2"]["position_embedding_shape"] = (42, 42)


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub", reason="keras-hub is an extra, kerasad[hub]")


@pytest.fixture(params=["dinov2", "dinov3"])
def architecture(request, hub):
    return ARCHITECTURES[request.param]


def random_images(shape, batch=2):
    return np.random.default_rng(0).random((batch, *shape)).astype("float32")


def build_random(architecture, image_shape, taps=None):
    return build_backbone("dino", image_shape, taps, None, architecture)


def shake(network, spread=0.3):
    """Moves every weight: at the start biases and scales of keras-hub hide faults."""
    generator = np.random.default_rng(1)
    weights = [w + generator.normal(0, spread, w.shape) for w in network.get_weights()]
    network.set_weights(weights)


@pytest.fixture
def network(hub, request):
    """A network of keras-hub whose images fit it, 3 x 3 patches."""
    arguments = {k: v for k, v in ARCHITECTURES[request.param].items() if k != "family"}
    side = 3 * arguments["patch_size"]
    build = {"dinov2": hub.models.DINOV2Backbone, "dinov3": hub.models.DINOV3Backbone}
    network = build[request.param](**arguments, image_shape=(side, side, 3))
    shake(network.encoder)
    return network


both = pytest.mark.parametrize("network", ["dinov2", "dinov3"], indirect=True)


@both
def test_a_folder_of_keras_hub_gives_the_tokens_that_keras_hub_computes(hub, network, tmp_path):
    network.save_to_preset(tmp_path)
    converters = {"dinov2": hub.layers.DINOV2ImageConverter, "dinov3": hub.layers.ImageConverter}
    colours = {"scale": [1 / 51, 1 / 102, 1 / 255], "offset": [-1.0, 0.0, 0.5]}
    is_dinov2 = isinstance(network, hub.models.DINOV2Backbone)
    if is_dinov2:
        converters["dinov2"](**colours).save_to_preset(tmp_path)
        scale, offset = (np.array(colours[name], "float32") for name in ("scale", "offset"))
    else:  # those of ImageNet
        deviation = np.array([0.229, 0.224, 0.225], "float32")
        scale, offset = 1 / 255 / deviation, -np.array([0.485, 0.456, 0.406]) / deviation
    images = random_images(network.image_shape)
    backbone = build_backbone(str(tmp_path), network.image_shape, ["stage2", "stage1"])
    outputs = backbone(images)
    theirs = keras.Model(network.inputs, network.pyramid_outputs)
    expected = theirs([(255 * images * scale + offset).astype("float32")])
    assert list(outputs) == ["stage2", "stage1"]
    for tap, values in outputs.items():
        prefix = 1 + network.num_register_tokens
        patches = np.asarray(expected[tap])[:, prefix:].reshape(2, 3, 3, 8)
        assert patches.std() > 0.05, "too small to compare"
        np.testing.assert_allclose(values, patches, atol=1e-5)


def hugging_face_tensors(network):
    """The weights of a DINOv2 under the names and in the axes of Hugging Face's files."""
    tensors = {}

    def add(name, values):
        tensors[name] = np.ascontiguousarray(values, "float32")

    def add_layer(name, layer, fan_in):
        kernel = np.asarray(layer.kernel).reshape(fan_in, -1)
        add(f"{name}.weight", kernel.T)
        add(f"{name}.bias", np.ravel(layer.bias))

    def add_norm(name, layer):
        add(f"{name}.weight", layer.gamma)
        add(f"{name}.bias", layer.beta)

    own = network.embeddings
    for name in ("cls_token", "mask_token", "register_tokens", "position_embeddings"):
        add(f"embeddings.{name}", {v.name: v for v in own.weights}[name])
    projection = own.patch_embeddings.projection
    kernel = np.transpose(projection.kernel, (3, 2, 0, 1))
    add("embeddings.patch_embeddings.projection.weight", kernel)
    add("embeddings.patch_embeddings.projection.bias", projection.bias)
    for number, layer in enumerate(network.encoder.layers):
        block, attention = f"encoder.layer.{number}", layer.attention.attention
        add_norm(f"{block}.norm1", layer.norm1)
        add_norm(f"{block}.norm2", layer.norm2)
        add_layer(f"{block}.attention.attention.query", attention.query_dense, 8)
        add_layer(f"{block}.attention.attention.key", attention.key_dense, 8)
        add_layer(f"{block}.attention.attention.value", attention.value_dense, 8)
        add_layer(f"{block}.attention.output.dense", attention.output_dense, 8)
        add(f"{block}.layer_scale1.lambda1", layer.layer_scale1.lambda1)
        add(f"{block}.layer_scale2.lambda1", layer.layer_scale2.lambda1)
        add_layer(f"{block}.mlp.fc1", layer.mlp.fc1, 8)
        add_layer(f"{block}.mlp.fc2", layer.mlp.fc2, 12)
    add_norm("layernorm", network.layernorm)
    return tensors


def write_hugging_face(folder, network):
    numpy_files = pytest.importorskip("safetensors.numpy", reason="kerasad[hub] has safetensors")
    config = {
        "model_type": "dinov2_with_registers",
        "image_size": 42,
        "patch_size": 14,
        "num_hidden_layers": 2,
        "hidden_size": 8,
        "num_attention_heads": 2,
        "mlp_ratio": 1.5,
        "layerscale_value": 1.0,
        "num_register_tokens": 2,
        "use_swiglu_ffn": False,
        "hidden_dropout_prob": 0.0,
        "drop_path_rate": 0.0,
    }
    (folder / "config.json").write_text(json.dumps(config))
    colours = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.25, 0.2]}
    (folder / "preprocessor_config.json").write_text(json.dumps(colours))
    numpy_files.save_file(hugging_face_tensors(network), folder / "model.safetensors")


@pytest.mark.parametrize("network", ["dinov2"], indirect=True)
def test_a_folder_of_hugging_face_is_read_without_pytorch(network, tmp_path):
    write_hugging_face(tmp_path, network)
    images = random_images(network.image_shape)
    outputs = build_backbone(str(tmp_path), network.image_shape, ["stage2"])(images)
    seen = (images - [0.1, 0.2, 0.3]) / [0.5, 0.25, 0.2]
    theirs = keras.Model(network.inputs, network.pyramid_outputs)
    expected = theirs([seen.astype("float32")])
    patches = np.asarray(expected["stage2"])[:, 3:].reshape(2, 3, 3, 8)
    np.testing.assert_allclose(outputs["stage2"], patches, atol=1e-5)
    assert "torch" not in sys.modules


def test_a_grid_of_any_shape_holds_each_patch_at_its_place(architecture):
    patch = architecture["patch_size"]
    shape = (2 * patch, 5 * patch, 3)
    backbone = build_random(architecture, shape, ["stage1", "stage2"])
    tokens = backbone.get_layer("patch_tokens")
    assert tokens.grid == (2, 5)
    if architecture["family"] == "dinov2":  # without positions, tokens move with the patches
        positions = {v.name: v for v in tokens.embeddings.weights}
        positions["interpolated_position_embeddings"].assign(np.zeros((1, 11, 8)))
    images = random_images(shape)
    outputs = backbone(images)
    moved = backbone(np.roll(images, patch, axis=2))
    swapped = backbone(np.roll(images, patch, axis=1))
    for tap, values in outputs.items():
        assert values.shape == (2, 2, 5, 8)
        if architecture["family"] == "dinov2":
            np.testing.assert_allclose(moved[tap], np.roll(values, 1, axis=2), atol=1e-5)
            np.testing.assert_allclose(swapped[tap], np.roll(values, 1, axis=1), atol=1e-5)
        else:  # positions are computed in each block: near, and nearest in the right place
            errors = np.abs(moved[tap] - np.roll(values, 1, axis=2)).mean()
            assert errors < 0.5 * np.abs(moved[tap] - np.asarray(values)).mean()


def test_sides_that_are_no_multiples_of_a_patch_are_resized_and_this_is_said(architecture):
    patch = architecture["patch_size"]
    shape = (2 * patch - 3, 3 * patch + 1, 3)
    options = {"backbone_weights": None, "backbone_architecture": architecture}
    model = FeatureExtractor(shape, "dino", ["stage1"], **options)
    assert model.cell_grid == (2, 4)
    assert model.remark == (
        f"The backbone takes sides that are multiples of {patch}: it sees images of {shape[0]} x "
        f"{shape[1]} pixels (height x width) resized to {2 * patch} x {4 * patch}."
    )
    fitting = FeatureExtractor((2 * patch, 4 * patch, 3), "dino", ["stage1"], **options)
    assert fitting.remark is None
    fitting.set_weights(model.get_weights())
    images = random_images(shape)
    resized = keras.ops.image.resize(images, (2 * patch, 4 * patch), "bilinear", antialias=True)
    np.testing.assert_allclose(model(images), fitting(resized), atol=1e-4)


def test_it_is_frozen_and_the_default_taps_are_spread_over_the_depth(architecture):
    deep = {**architecture, "num_layers": 12}
    backbone = build_random(deep, (32, 32, 3))
    assert list(backbone.output) == ["stage3", "stage6", "stage9"]
    tokens = backbone.get_layer("patch_tokens")
    assert len(tokens.encoder.layers) == 9, "blocks after the last tap are computed"
    assert not backbone.trainable_variables
    assert not any(variable.trainable for variable in tokens.encoder.variables)
    images = random_images((32, 32, 3))
    np.testing.assert_array_equal(
        backbone(images, training=True)["stage9"], backbone(images)["stage9"]
    )


def test_a_mixed_policy_changes_nothing(architecture):
    with dtype_policy_scope("mixed_float16"):
        mixed = build_random(architecture, (32, 48, 3), ["stage2"])
    plain = build_random(architecture, (32, 48, 3), ["stage2"])
    plain.set_weights(mixed.get_weights())
    images = random_images((32, 48, 3))
    outputs = mixed(images)["stage2"]
    assert outputs.dtype == "float32"
    np.testing.assert_array_equal(outputs, plain(images)["stage2"])


@pytest.mark.slow
def test_saved_models_open_in_a_fresh_process_without_custom_objects(hub, tmp_path):
    images, expected = random_images((30, 48, 3)), {}
    for name, architecture in ARCHITECTURES.items():
        model = FeatureExtractor((30, 48, 3), "dino", None, None, architecture)
        shake(model.view.backbone.get_layer("patch_tokens").encoder)
        model.adapt(images)
        model.save(tmp_path / f"{name}.keras")
        expected[name] = model(images)
    np.save(tmp_path / "images.npy", images)
    code = (
        "import kerasad, keras, numpy as np\n"
        "keras.config.set_dtype_policy('mixed_bfloat16')\n"
        "images, outputs = np.load('images.npy'), {}\n"
        "for name in ('dinov2', 'dinov3'):\n"
        "    model = keras.saving.load_model(f'{name}.keras', safe_mode=True)\n"
        "    assert not model.trainable_variables\n"
        "    outputs[name] = model(images)\n"
        "np.savez('outputs.npz', **outputs)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "outputs.npz") as outputs:
        for name, values in expected.items():
            np.testing.assert_array_equal(outputs[name], values)


def test_a_missing_keras_hub_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(MissingPackageError, match=r'run `pip install "\.\[hub\]"`'):
        build_backbone("dinov2_small", (32, 32, 3))
    with pytest.raises(MissingPackageError, match=r'run `pip install "\.\[hub\]"`'):
        PatchTokens(ARCHITECTURES["dinov2"], (32, 32, 3), ["stage1"])


def test_what_is_no_preset_and_no_folder_of_a_dino_is_named(hub, tmp_path):
    with pytest.raises(
        InputError,
        match="Unknown DINO preset of keras-hub 'dinov2_smal'; did you mean 'dinov2_smal",
    ):
        build_backbone("dinov2_smal", (32, 32, 3))
    with pytest.raises(InputError, match="Unknown backbone"):
        build_backbone(str(tmp_path), (32, 32, 3))
    config = tmp_path / "config.json"
    for content, words in (
        ({"model_type": "vit"}, "network of the kind 'vit'; a backbone can be a DINOv2 or DINOv3"),
        ({"registered_name": "keras_hub>VGGBackbone"}, "of the kind 'keras_hub>VGGBackbone'"),
        ({"model_type": "dinov2"}, r"holds no \*.safetensors; files of PyTorch are not read"),
        ([1], "must be a JSON object"),
    ):
        config.write_text(json.dumps(content))
        with pytest.raises(InputError, match=words):
            build_backbone(str(tmp_path), (32, 32, 3))
    config.write_text(json.dumps({"model_type": "dinov2"}))
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"cannot be fetched or read .* files are complete"):
        build_backbone(str(tmp_path), (32, 32, 3))


def test_a_preset_that_cannot_be_downloaded_is_one_sentence(hub, monkeypatch):
    def fail(preset, **kwargs):
        raise ConnectionError(f"No route to the files of {preset}.\nMany lines follow.")

    monkeypatch.setattr(hub.models.Backbone, "from_preset", fail)
    with pytest.raises(InputError) as caught:
        build_backbone("dinov2_small", (32, 32, 3))
    assert str(caught.value) == (
        "The backbone dinov2_small cannot be fetched or read (No route to the files of "
        "dinov2_small); pass the path of a folder with its files, or a backbone that needs no "
        "network."
    )


def test_arguments_that_do_not_fit_are_named(architecture):
    with pytest.raises(InputError, match="'stage3'; did you mean 'stage"):
        build_random(architecture, (32, 32, 3), ["stage3"])
    with pytest.raises(InputError, match="needs images of a fixed size"):
        build_random(architecture, (None, 32, 3))
    with pytest.raises(InputError, match="leave `backbone_weights` out"):
        build_backbone("dinov2_small", (32, 32, 3), weights="weights.h5")
    for name, words in (
        ("num_heads", r"keras-hub cannot build this network: .*num_heads"),
        ("patch_size", "architecture of a backbone lacks patch_size"),
    ):
        cut = {key: value for key, value in architecture.items() if key != name}
        with pytest.raises(InputError, match=words):
            build_random(cut, (32, 32, 3), ["stage1"])
