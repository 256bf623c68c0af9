import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad.models.feature_networks import DepthToSpace
from kerasad.models.networks import (
    build_decoder,
    build_discriminator,
    build_encoder,
    default_depth,
    halved_sizes,
    latent_shape,
    seed_weights,
)

SHAPES = [(16, 16, 3), (17, 23, 3), (40, 9, 3)]


def random_images(shape, batch=2):
    return np.random.default_rng(0).random((batch, *shape)).astype("float32")


@pytest.mark.parametrize(
    ("size", "depth"), [((8, 8), 2), ((32, 32), 2), ((64, 64), 3), ((128, 96), 4), ((512, 768), 4)]
)
def test_default_depth_leaves_about_eight_cells(size, depth):
    assert default_depth(*size) == depth


def test_odd_sizes_are_halved_upwards():
    assert halved_sizes(9, 4, 3) == [(9, 4), (5, 2), (3, 1), (2, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("latent", ["conv", "dense"])
def test_encoder_and_decoder_fit_each_other(shape, latent):
    depth = 3
    encoder = build_encoder(shape, latent, 5, 4, depth)
    decoder = build_decoder(shape, latent, 5, 4, depth)
    images = random_images(shape)
    encoded = encoder(images)
    expected = (2, *latent_shape(shape, latent, 5, depth))
    assert tuple(encoded["z_mean"].shape) == tuple(encoded["z_log_var"].shape) == expected
    for level, size in enumerate(halved_sizes(*shape[:2], depth)[1:], start=1):
        assert tuple(encoded[f"features_{level}"].shape[1:3]) == size
    reconstruction = np.asarray(decoder(encoded["z_mean"]))
    assert reconstruction.shape == images.shape
    assert 0.0 <= reconstruction.min() <= reconstruction.max() <= 1.0


def test_dense_latent_is_one_code_an_image_and_conv_one_a_cell():
    assert latent_shape((32, 20, 3), "dense", 7, 3) == (7,)
    assert latent_shape((32, 20, 3), "conv", 7, 3) == (4, 3, 7)


def test_channels_double_up_to_eight_times():
    encoder = build_encoder((64, 64, 3), "conv", 4, 2, 5)
    widths = [encoder.get_layer(f"conv_{level}").filters for level in range(1, 6)]
    assert widths == [2, 4, 8, 16, 16]


def test_noise_starts_small_and_alike_for_all_images():
    encoded = build_encoder((16, 16, 3), "conv", 4, 4, 2)(random_images((16, 16, 3)))
    np.testing.assert_allclose(
        encoded["z_log_var"], np.full(encoded["z_log_var"].shape, -2.0), 0.01
    )


def pair_of_images(shape):
    images = random_images(shape)
    return [images, images - images[::-1]]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depth", [2, 3])
def test_discriminator_classifies_cells_of_four_pixels_at_every_size(shape, depth):
    outputs = build_discriminator(shape, 4, depth, 6)(pair_of_images(shape))
    quarter = halved_sizes(*shape[:2], 2)[2]
    assert tuple(outputs["logits"].shape) == (2, *quarter, 1)
    assert tuple(outputs["embedding"].shape) == (2, *quarter, 6)
    assert tuple(outputs["features"].shape) == (2, *quarter, 8)


def test_discriminator_classifies_an_image_without_its_batch_mates():
    discriminator, pair = build_discriminator((16, 16, 3), 4, 2, 6), pair_of_images((16, 16, 3))
    whole, alone = (discriminator(x) for x in (pair, [part[:1] for part in pair]))
    np.testing.assert_allclose(whole["logits"][:1], alone["logits"], atol=1e-5)


def test_a_deeper_discriminator_sees_farther():
    for depth, far in ((2, False), (4, True)):
        discriminator = build_discriminator((64, 64, 3), 4, depth, 6)
        pair = [np.zeros((1, 64, 64, 3), "float32") for _ in range(2)]
        before = np.asarray(discriminator(pair)["logits"])
        pair[1][:, 40:, 40:] = 0.5
        changed = np.asarray(discriminator(pair)["logits"]) != before
        assert changed[0, 10, 10, 0]
        assert changed[0, 6, 6, 0] == far


def seeded(seed):
    network = build_discriminator((16, 16, 3), 4, 2, 6)
    seed_weights(network, seed)
    return network


def test_a_seed_decides_every_weight():
    first, second, other = seeded(1), seeded(1), seeded(2)
    for weight, same, different in zip(first.weights, second.weights, other.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), same.numpy(), err_msg=weight.path)
        if weight.name == "kernel":
            assert not np.array_equal(weight, different), weight.path


def test_kernels_of_one_shape_differ():
    network = build_discriminator((32, 32, 3), 4, 4, 12)
    seed_weights(network, 0)
    first, second = (network.get_layer(name).kernel.numpy() for name in ("up_3", "up_2"))
    assert first.shape == second.shape
    assert not np.array_equal(first, second)


def test_seeded_kernels_keep_the_spread_of_their_initializer():
    network = build_encoder((32, 32, 3), "conv", 16, 16, 3)
    seed_weights(network, 0)
    kernel = network.get_layer("conv_3").kernel.numpy()
    limit = np.sqrt(6.0 / (16 * (kernel.shape[2] + kernel.shape[3])))
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)


def test_kernels_that_start_at_zero_stay_there():
    network = build_encoder((16, 16, 3), "dense", 4, 4, 2)
    seed_weights(network, 0)
    np.testing.assert_array_equal(network.get_layer("z_log_var").kernel, 0.0)


def test_a_step_moves_a_dense_code_of_many_cells_little():
    encoder = build_encoder((64, 64, 3), "dense", 8, 16, 3)
    images = random_images((64, 64, 3), batch=8)
    optimizer = keras.optimizers.Adam(1e-3)
    for _ in range(3):
        before = encoder(images, training=True)["z_log_var"]
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(encoder(images, training=True)["z_log_var"])
        head = encoder.get_layer("z_log_var").trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, head), head, strict=True))
        assert np.max(np.abs(encoder(images, training=True)["z_log_var"] - before)) < 0.5


@pytest.mark.parametrize("latent", ["conv", "dense"])
def test_the_log_variance_has_an_upper_bound_and_is_linear_far_below_it(latent):
    encoder = build_encoder((16, 16, 3), latent, 2, 4, 2)
    bias = encoder.get_layer("z_log_var").bias
    for value, expected in [(-9.0, -9.0), (-2.0, -2.0), (4.0, 4.0 - np.log(2)), (1e4, 4.0)]:
        bias.assign([value, value])
        found = encoder(random_images((16, 16, 3)))["z_log_var"]
        np.testing.assert_allclose(found, np.full(found.shape, expected), atol=0.003)


def test_each_cell_becomes_four_of_a_quarter_of_its_channels():
    cells = np.arange(16.0).reshape(1, 1, 2, 8)
    layer = DepthToSpace.from_config(DepthToSpace(name="blocks").get_config())
    expected = [[[0, 1], [2, 3], [8, 9], [10, 11]], [[4, 5], [6, 7], [12, 13], [14, 15]]]
    np.testing.assert_array_equal(layer(cells)[0], expected)
