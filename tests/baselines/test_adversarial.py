"""What is special about each baseline with a discriminator but GANomaly."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import InputError


def reached(tape, loss, **networks):
    """Returns the names of the networks that a loss has a gradient for."""
    values = {
        name: [variable.value for variable in network.trainable_variables]
        for name, network in networks.items()
    }
    found = tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return {name for name, grads in found.items() if any(np.any(grad) for grad in grads)}


def copies(variables):
    return [np.array(variable) for variable in variables]


def have_moved(variables, before):
    return not all(np.array_equal(*pair) for pair in zip(variables, before, strict=True))


@pytest.mark.parametrize("latent", ["dense", "conv"])
def test_the_adversary_brings_codes_nearer_to_the_prior(make, images, latent):
    model = make("adversarial_autoencoder", latent=latent, adversarial_weight=1.0)
    rates = (5e-3, 2e-2)
    model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates))
    # Codes that begin far off: a mean of 3 and a small deviation.
    model.encoder.get_layer("z_mean").bias.assign(3.0 * np.ones(3))

    def divergence():
        """Of the normal distribution with the moments of the codes, in nats of a channel."""
        codes = np.asarray(model.encoder(images, training=False)["z_mean"]).reshape(-1, 3)
        mean, variance = codes.mean(axis=0), codes.var(axis=0)
        return 0.5 * np.mean(mean**2 + variance - 1 - np.log(variance))

    before = divergence()
    data = tf.data.Dataset.from_tensor_slices(images).batch(len(images)).repeat(60)
    model.fit(data, verbose=0)
    assert divergence() < before / 4


def test_without_an_adversary_codes_stay_away_from_the_prior(make, images):
    model = make("adversarial_autoencoder", adversarial_weight=0.0)
    with tf.GradientTape() as tape:
        logs, _ = model.losses(tf.constant(images), None, training=False)
    networks = {"encoder": model.encoder, "discriminator": model.discriminator}
    assert reached(tape, logs["loss"], **networks) == {"encoder"}


def test_the_adversary_sees_codes_alone(make, images):
    model = make("adversarial_autoencoder")
    made = model.restore(tf.constant(images))
    assert model.discriminator.input.shape[1:] == made["z_mean"].shape[1:]
    losses = []
    for pictures in (images, 1 - images):
        model.prior.seed_generator.state.assign([1, 1])
        losses.append(float(model.discriminator_loss(pictures, None, made, training=False)))
    assert losses[0] == losses[1]


@pytest.fixture(scope="module")
def larsen(make):
    return make("vae_gan_similarity")


def larsen_networks(model):
    return {
        "encoder": model.encoder,
        "decoder": model.decoder,
        "discriminator": model.discriminator,
    }


def test_the_decoder_learns_from_similarity_and_game_and_the_encoder_not_from_the_game(
    larsen, images, monkeypatch
):
    with tf.GradientTape(persistent=True) as tape:
        logs, _ = larsen.losses(tf.constant(images), None, training=False)
    networks = larsen_networks(larsen)
    del networks["discriminator"]
    assert reached(tape, logs["similarity_loss"], **networks) == {"encoder", "decoder"}
    assert reached(tape, logs["kl_loss"], **networks) == {"encoder"}
    # The game's gradient is taken for the decoder alone: doubling it leaves the encoder's step.
    steps = []
    for weight in (0.1, 10.0):
        monkeypatch.setattr(larsen, "adversarial_weight", weight)
        steps.append(one_step(larsen, images))
    np.testing.assert_allclose(steps[0]["encoder"], steps[1]["encoder"], rtol=1e-3, atol=1e-7)
    assert np.abs(steps[0]["decoder"] - steps[1]["decoder"]).max() > 1e-4


def one_step(model, images):
    """Returns how a step of gradient descent moves encoder and decoder, which are put back."""
    model.sampling.seed_generator.state.assign([1, 1])
    model.prior.seed_generator.state.assign([2, 2])
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    weights = model.get_weights()
    moved = {}
    networks = larsen_networks(model)
    before = {name: flat(networks[name]) for name in ("encoder", "decoder")}
    model.train_autoencoder(tf.constant(images), None)
    for name, values in before.items():
        moved[name] = flat(networks[name]) - values
    model.set_weights(weights)
    return moved


def flat(network):
    return np.concatenate([np.ravel(variable) for variable in network.trainable_variables])


def test_the_discriminator_of_a_learned_similarity_moves_by_its_game_alone(make, images):
    model = make("vae_gan_similarity")
    model.compile(run_eagerly=True)
    before = copies(model.discriminator.trainable_variables)
    _, made = model.train_autoencoder(tf.constant(images), None)
    assert not have_moved(model.discriminator.trainable_variables, before)
    model.train_discriminator(tf.constant(images), None, made)
    assert have_moved(model.discriminator.trainable_variables, before)


@pytest.mark.parametrize("latent", ["dense", "conv"])
def test_the_discriminator_of_egbad_sees_pairs(make, images, latent):
    model = make("egbad", latent=latent, latent_dim=8, filters=4)
    generator = np.random.default_rng(0)
    codes = generator.normal(size=(len(images), *model.decoder.input.shape[1:])).astype("float32")
    logits = model.discriminator([images, codes])["logits"]
    swapped = model.discriminator([images, codes[::-1]])["logits"]
    assert np.abs(np.asarray(logits) - np.asarray(swapped)).max() > 1e-5
    other = model.discriminator([images[::-1], codes])["logits"]
    assert np.abs(np.asarray(logits) - np.asarray(other)).max() > 1e-5
    # Both permuted alike, the answers are permuted.
    both = model.discriminator([images[::-1], codes[::-1]])["logits"]
    np.testing.assert_allclose(both[::-1], logits, atol=1e-5)


def test_encoder_and_decoder_of_egbad_learn_from_the_game_alone(make, images):
    model = make("egbad")
    with tf.GradientTape() as tape:
        logs, made = model.losses(tf.constant(images), None, training=False)
    assert logs["loss"] is logs["adversarial_loss"]
    networks = {"encoder": model.encoder, "decoder": model.decoder}
    assert reached(tape, logs["loss"], **networks) == {"encoder", "decoder"}
    # With the pairs of the same logits, both players are at 2 log 2.
    real, fake = model.judge(tf.constant(images), made, training=False)
    expected = np.log1p(np.exp(np.asarray(real))).mean() + np.log1p(np.exp(-fake)).mean()
    assert float(logs["loss"]) == pytest.approx(float(expected), rel=1e-4)


def test_the_map_of_egbad_weighs_pixels_and_features(make, images):
    maps = [
        np.asarray(make("egbad", alpha=alpha).residual_map(images)) for alpha in (0.0, 0.25, 1.0)
    ]
    np.testing.assert_allclose(maps[1], 0.75 * maps[0] + 0.25 * maps[2], rtol=1e-4, atol=1e-6)
    assert maps[0].max() > 0


def test_the_generator_of_f_anogan_rests_while_its_encoder_learns(make, images):
    model = make("f_anogan")
    model.compile(run_eagerly=True)
    networks = {name: getattr(model, name) for name in ("encoder", "decoder", "discriminator")}
    moved = []
    for phase in (0.0, 1.0):
        model.encoder_phase.assign(phase)
        before = {name: copies(network.weights) for name, network in networks.items()}
        model.train_on_batch(images)
        moved.append({n for n, each in networks.items() if have_moved(each.weights, before[n])})
    assert moved == [{"decoder", "discriminator"}, {"encoder"}]


def test_f_anogan_changes_its_phase_after_half_of_the_epochs(make, images):
    model = make("f_anogan")
    model.compile(run_eagerly=True)
    history = model.fit(images, epochs=3, verbose=0).history
    assert [value > 0 for value in history["adversarial_loss"]] == [True, True, False]
    assert [value > 0 for value in history["reconstruction_loss"]] == [False, False, True]
    with pytest.raises(InputError, match="give at least 2 epochs"):
        model.fit(images, epochs=1, verbose=0)


def test_the_map_of_f_anogan_adds_pixels_and_features(make, images):
    maps = [
        np.asarray(make("f_anogan", feature_weight=weight).residual_map(images))
        for weight in (0.0, 1.0, 3.0)
    ]
    np.testing.assert_allclose(maps[2] - maps[0], 3 * (maps[1] - maps[0]), rtol=1e-3, atol=1e-6)
