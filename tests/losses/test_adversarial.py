import numpy as np
import pytest
import tensorflow as tf

from kerasad.losses import discriminator_adversarial_loss, generator_adversarial_loss


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-np.asarray(x, "float64")))


REAL = np.array([[2.0, -1.0, 0.5]], "float32")
FAKE = np.array([[-3.0, 0.25]], "float32")


def test_discriminator_pays_the_logarithms_of_its_probabilities():
    expected = -np.log(sigmoid(REAL)).mean() - np.log(1.0 - sigmoid(FAKE)).mean()
    found = discriminator_adversarial_loss(REAL, FAKE)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_discriminator_that_cannot_tell_pays_two_log_two():
    zeros = np.zeros((2, 3, 3, 1), "float32")
    assert float(discriminator_adversarial_loss(zeros, zeros)) == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize("shape", [(1, 3), (3,)])
def test_logits_of_weight_zero_count_nowhere(shape):
    weights = np.array([1.0, 0.0, 3.0], "float32").reshape(shape)
    real = -np.log(sigmoid(REAL))[0]
    expected = (real[0] + 3.0 * real[2]) / 4.0 - np.log(1.0 - sigmoid(FAKE)).mean()
    found = discriminator_adversarial_loss(REAL, FAKE, weights)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_made_logits_of_weight_zero_count_nowhere():
    weights = np.array([[0.0, 0.5]], "float32")
    real, fake = -np.log(sigmoid(REAL)).mean(), -np.log(1.0 - sigmoid(FAKE[0, 1]))
    found = discriminator_adversarial_loss(REAL, FAKE, fake_weights=weights)
    assert float(found) == pytest.approx(real + fake, rel=1e-6)
    found = generator_adversarial_loss(FAKE, weights)
    assert float(found) == pytest.approx(-np.log(sigmoid(0.25)), rel=1e-6)


def test_without_any_weight_the_real_side_is_zero():
    found = discriminator_adversarial_loss(REAL, FAKE, np.zeros((1, 3), "float32"))
    assert float(found) == pytest.approx(-np.log(1.0 - sigmoid(FAKE)).mean(), rel=1e-6)


def test_generator_pays_the_logarithm_of_the_probability_of_real():
    expected = -np.log(sigmoid(FAKE)).mean()
    assert float(generator_adversarial_loss(FAKE)) == pytest.approx(expected, rel=1e-6)


def test_the_two_players_pull_made_logits_apart():
    fake = tf.constant(FAKE)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fake)
        loss = discriminator_adversarial_loss(tf.constant(REAL), fake)
        maker = generator_adversarial_loss(fake)
    assert np.all(tape.gradient(loss, fake) > 0)
    assert np.all(tape.gradient(maker, fake) < 0)


def test_large_half_precision_logits_stay_finite():
    logits = np.full((2, 2), 6e4, "float16")
    assert float(discriminator_adversarial_loss(-logits, logits)) == pytest.approx(1.2e5, rel=1e-2)
    assert float(generator_adversarial_loss(logits)) == 0.0
