import keras
import numpy as np
import pytest

from kerasad.baselines.networks import build_image_discriminator
from kerasad.models.networks import seed_weights


def random_images(shape=(16, 16, 3)):
    return np.random.default_rng(0).random((2, *shape), "float32")


def test_kernels_have_spectral_norm_one_after_some_steps():
    discriminator, images = build_image_discriminator((16, 16, 3), 4, 3), random_images()
    for _ in range(30):
        discriminator(images, training=True)
    for name in ("conv_1", "conv_2", "conv_3", "logits"):
        kernel = discriminator.get_layer(name).layer.kernel.numpy()
        singular = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)
        assert singular[0] == pytest.approx(1.0, abs=0.05), name


def test_spectral_normalization_keeps_all_digits_of_the_kernels_under_mixed_precision():
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        discriminator = build_image_discriminator((16, 16, 3), 4, 2)
    finally:
        keras.config.set_dtype_policy(previous)
    discriminator(random_images(), training=True)
    for variable in discriminator.trainable_variables:
        if variable.name == "kernel":
            kernel = variable.numpy()
            rounded = np.asarray(keras.ops.cast(keras.ops.cast(kernel, "bfloat16"), "float32"))
            assert np.mean(kernel != rounded) > 0.9, variable.path


def test_a_seed_decides_the_power_iteration_too():
    networks = [build_image_discriminator((16, 16, 3), 4, 2) for _ in range(3)]
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        seed_weights(network, seed)
    first, second, other = (network.weights for network in networks)
    for weight, same, different in zip(first, second, other, strict=True):
        np.testing.assert_array_equal(weight, same, err_msg=weight.path)
        if weight.name in ("kernel", "vector_u"):
            assert not np.array_equal(weight, different), weight.path
