import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad.models.networks import build_decoder, build_encoder, halved_sizes, latent_shape
from kerasad.models.resnet_networks import build_residual_decoder

SHAPES = [(16, 16, 3), (17, 23, 3), (40, 9, 3)]


def random_codes(shape, batch=2):
    return np.random.default_rng(0).normal(size=(batch, *shape)).astype("float32")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("latent", ["conv", "dense"])
def test_it_takes_the_place_of_the_plain_decoder(shape, latent):
    encoder = build_encoder(shape, latent, 5, 4, 3)
    decoder, plain = (
        build(shape, latent, 5, 4, 3) for build in (build_residual_decoder, build_decoder)
    )
    assert decoder.input.shape == plain.input.shape == encoder.output["z_mean"].shape
    assert decoder.output.shape == plain.output.shape == (None, *shape)
    assert decoder.output.dtype == plain.output.dtype == "float32"
    reconstruction = np.asarray(decoder(random_codes(latent_shape(shape, latent, 5, 3))))
    assert reconstruction.shape == (2, *shape)
    assert 0.0 <= reconstruction.min() < reconstruction.max() <= 1.0
    assert isinstance(decoder.get_layer("reconstruction"), keras.layers.Activation)


def test_channels_halve_from_eight_times_to_half():
    decoder = build_residual_decoder((64, 64, 3), "conv", 4, 2, 5)
    widths = [decoder.get_layer(f"conv_{level}_1").filters for level in range(5)]
    assert widths == [1, 2, 4, 8, 16]
    assert decoder.get_layer("widen").filters == 16


def test_blocks_follow_the_halved_sizes_of_odd_images():
    decoder = build_residual_decoder((17, 23, 3), "conv", 4, 2, 3)
    for level, size in enumerate(halved_sizes(17, 23, 3)[:-1]):
        assert decoder.get_layer(f"block_{level}").output.shape[1:3] == size


@pytest.mark.parametrize("shape", [(8, 8, 3), (7, 5, 3)])
def test_a_block_adds_its_shortcut_to_its_convolutions(shape):
    decoder = build_residual_decoder(shape, "conv", 3, 4, 2)
    block = keras.Model(
        decoder.get_layer("widen").output,
        [decoder.get_layer("block_1").output, decoder.get_layer("conv_1_1").output],
    )
    cells = random_codes((2, 2, 8))
    added, convolved = (np.asarray(value) for value in block(cells))
    # By hand: a 1x1 convolution is a matrix product, and each cell becomes a square of four.
    shortcut = decoder.get_layer("shortcut_1")
    expected = cells @ shortcut.kernel.numpy() + shortcut.bias.numpy()
    expected = expected.repeat(2, axis=1).repeat(2, axis=2)[:, : added.shape[1], : added.shape[2]]
    np.testing.assert_allclose(added - convolved, expected, atol=1e-5)


def test_without_its_convolutions_an_image_is_made_of_blocks_of_four():
    decoder = build_residual_decoder((8, 8, 3), "conv", 3, 4, 2)
    for level in range(2):
        decoder.get_layer(f"conv_{level}_1").kernel.assign(
            np.zeros_like(decoder.get_layer(f"conv_{level}_1").kernel)
        )
    block = keras.Model(decoder.input, decoder.get_layer("block_0").output)
    values = np.asarray(block(random_codes((2, 2, 3))))
    assert values.std() > 0.01
    np.testing.assert_array_equal(values, values[:, ::4, ::4].repeat(4, 1).repeat(4, 2))


def test_gradients_reach_every_weight():
    decoder = build_residual_decoder((17, 23, 3), "conv", 5, 4, 3)
    weights = decoder.trainable_variables
    with tf.GradientTape() as tape:
        images = decoder(random_codes((3, 3, 5)), training=True)
        loss = keras.ops.mean(images**2)
    gradients = tape.gradient(loss, [variable.value for variable in weights])
    for gradient, variable in zip(gradients, weights, strict=True):
        assert np.any(gradient.numpy()), variable.path


@pytest.mark.parametrize("latent", ["conv", "dense"])
def test_it_saves_and_loads(tmp_path, latent):
    decoder = build_residual_decoder((17, 23, 3), latent, 5, 2, 3)
    decoder.save(tmp_path / "decoder.keras")
    again = keras.saving.load_model(tmp_path / "decoder.keras", safe_mode=True)
    codes = random_codes(latent_shape((17, 23, 3), latent, 5, 3))
    np.testing.assert_array_equal(decoder(codes), again(codes))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_ends_in_full_precision_near_the_same_image(policy):
    full = build_residual_decoder((16, 16, 3), "conv", 5, 4, 2)
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        mixed = build_residual_decoder((16, 16, 3), "conv", 5, 4, 2)
    finally:
        keras.config.set_dtype_policy(previous)
    mixed.set_weights(full.get_weights())
    codes = random_codes((4, 4, 5))
    assert mixed(codes).dtype == "float32"
    assert mixed.get_layer("block_0").output.dtype == policy.removeprefix("mixed_")
    np.testing.assert_allclose(mixed(codes), full(codes), atol=0.03)
