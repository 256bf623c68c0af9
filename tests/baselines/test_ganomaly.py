"""What is special about GANomaly."""

import numpy as np
import pytest
import tensorflow as tf

from kerasad.baselines.adversarial import feature_error


@pytest.fixture(scope="module")
def model(make):
    return make("ganomaly")


def test_the_second_encoder_is_trained(make, images):
    model = make("ganomaly")
    model.compile(run_eagerly=True)
    before = [np.asarray(each) for each in model.second_encoder.trainable_variables]
    model.train_on_batch(images)
    after = model.second_encoder.trainable_variables
    moved = [np.abs(np.asarray(new) - old).max() for old, new in zip(before, after, strict=True)]
    assert max(moved) > 1e-4


@pytest.mark.parametrize(
    ("name", "reached"),
    [
        ("reconstruction_loss", ("encoder", "decoder")),
        ("code_loss", ("encoder", "decoder", "second_encoder")),
        ("adversarial_loss", ("encoder", "decoder", "discriminator")),
    ],
)
def test_each_loss_reaches_the_networks_that_it_is_for(model, images, name, reached):
    with tf.GradientTape() as tape:
        loss = model.losses(tf.constant(images), None, training=False)[0][name]
    networks = {
        "encoder": model.encoder,
        "decoder": model.decoder,
        "second_encoder": model.second_encoder,
        "discriminator": model.discriminator,
    }
    found = tape.gradient(
        loss,
        {key: [v.value for v in each.trainable_variables] for key, each in networks.items()},
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    assert {key for key, values in found.items() if any(np.any(v) for v in values)} == set(reached)


def test_the_discriminator_leaves_the_generator_alone(model, images):
    made = model.restore(tf.constant(images))
    made = {name: tf.stop_gradient(value) for name, value in made.items()}
    with tf.GradientTape() as tape:
        loss = model.discriminator_loss(tf.constant(images), None, made, training=False)
    values = [variable.value for variable in model.generator_variables]
    assert all(gradient is None for gradient in tape.gradient(loss, values))


def test_the_loss_is_the_weighted_sum(make, images):
    model = make("ganomaly", adversarial_weight=2.0, reconstruction_weight=3.0, code_weight=5.0)
    logs, made = model.losses(tf.constant(images), None, training=False)
    adversarial, error, code = (float(logs[name]) for name in model.loss_names)
    assert float(logs["loss"]) == pytest.approx(2 * adversarial + 3 * error + 5 * code, rel=1e-5)
    assert error == pytest.approx(np.abs(images - made["reconstruction"]).mean(), rel=1e-5)
    difference = np.asarray(made["z_mean"]) - np.asarray(made["restored_code"])
    assert code == pytest.approx(np.mean(difference**2), rel=1e-5)
    expected = np.abs(difference).mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(model.tensors(images)["anomaly_map"], expected, rtol=1e-5)


def test_feature_matching_on_a_case_by_hand():
    real = np.array([[[[1.0, 2.0], [0.0, 0.0]], [[3.0, 1.0], [1.0, 1.0]]]], "float32")
    fake = np.array([[[[0.0, 2.0], [2.0, 1.0]], [[3.0, 1.0], [1.0, 4.0]]]], "float32")
    # Squares: 1 + 0, 4 + 1, 0 + 0, 0 + 9; over 8 numbers, or the 4 of the left column.
    assert float(feature_error(real, fake, None)) == pytest.approx(15 / 8)
    valid = np.array([[1.0, 0.0], [1.0, 0.0]], "float32")[None, ..., None]
    assert float(feature_error(real, fake, valid)) == pytest.approx(1 / 4)
