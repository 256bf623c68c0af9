import keras
import numpy as np
import pytest

from kerasad import InputError
from kerasad.layers.gradient_attention import tape_attention

TENSORS = {
    "images": (16, 16, 3),
    "reconstruction": (16, 16, 3),
    "encoder_features": (4, 4, 8 + 8),
    "discriminator_features": (4, 4, 8),
    "discriminator_logits": (4, 4, 1),
    "reconstruction_discriminator_features": (4, 4, 8),
    "embedding": (4, 4, 8),
    "reconstruction_embedding": (4, 4, 8),
    "attention_map": (4, 4, 1),
}
LATENTS = {"conv": (4, 4, 4), "dense": (4,)}
MODE_TENSORS = {
    "pretext": {"prototypes": (2, 8), "class_logits": (2, 4, 4, 4)},
    "cluster": {"prototypes": (6, 8)},
    "instance": {},
    "none": {},
}


@pytest.mark.parametrize("adacos", MODE_TENSORS)
@pytest.mark.parametrize("latent", LATENTS)
def test_tensors_have_the_promised_names_shapes_and_dtype(make_model, images, adacos, latent):
    tensors = make_model(adacos=adacos, latent=latent).tensors(images[:2])
    expected = {name: (2, *shape) for name, shape in TENSORS.items()}
    expected |= {name: (2, *LATENTS[latent]) for name in ("z_mean", "z_log_var")}
    expected |= MODE_TENSORS[adacos]
    assert {name: tuple(value.shape) for name, value in tensors.items()} == expected
    assert {value.dtype.name for value in tensors.values()} == {"float32"}


def test_tensors_agree_with_predict_and_tell_image_from_reconstruction(trained, images):
    model, _ = trained
    tensors = model.tensors(images)
    np.testing.assert_allclose(tensors["reconstruction"], model.predict(images, verbose=0), 1e-5)
    seen, restored = tensors["images"], tensors["reconstruction"]
    real, fake = model.judge(seen, restored), model.judge(restored, seen)
    np.testing.assert_allclose(tensors["discriminator_logits"], real["logits"], atol=1e-5)
    np.testing.assert_allclose(tensors["embedding"], real["embedding"], atol=1e-5)
    np.testing.assert_allclose(tensors["reconstruction_embedding"], fake["embedding"], atol=1e-5)
    np.testing.assert_allclose(
        tensors["reconstruction_discriminator_features"], fake["features"], atol=1e-5
    )


@pytest.mark.parametrize("latent", LATENTS)
def test_closed_form_of_the_saliency_is_its_tape(make_model, images, latent):
    model = make_model(latent=latent, depth=3)
    head = keras.Model(
        model.encoder.get_layer("features_3").output, model.encoder.get_layer("z_mean").output
    )
    expected = tape_attention(head, model.encoder(images)["features_3"])
    closed = model.tensors(images)["attention_map"]
    assert closed.shape == (8, 2, 2, 1)
    np.testing.assert_allclose(closed, expected, rtol=1e-4, atol=1e-6)


def test_saliency_of_an_earlier_layer_is_its_tape(make_model, images):
    model = make_model(attention_layer=1)
    encoder = model.encoder
    head = keras.Model(encoder.get_layer("features_1").output, encoder.get_layer("z_mean").output)
    expected = tape_attention(head, encoder(images)["features_1"])
    found = model.tensors(images)["attention_map"]
    assert found.shape == (8, 8, 8, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert np.std(found) > 0


def test_what_is_known_of_an_image_does_not_depend_on_its_batch_mates(trained, images):
    model, _ = trained
    whole, alone = model.tensors(images), model.tensors(images[2:3])
    for name in set(whole) - {"prototypes"}:
        np.testing.assert_allclose(whole[name][2:3], alone[name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("shape", "latent", "adacos"),
    [
        ((17, 23, 3), "dense", "cluster"),
        ((40, 9, 3), "conv", "pretext"),
        ((8, 8, 3), "conv", "none"),
    ],
)
def test_odd_sizes_train_and_come_back_in_their_size(make_model, shape, latent, adacos):
    model = make_model(image_shape=shape, latent=latent, adacos=adacos)
    model.compile(run_eagerly=True)
    batch = np.random.default_rng(0).random((3, *shape)).astype("float32")
    logs = model.train_on_batch(batch, return_dict=True)
    assert all(np.isfinite(value) for value in logs.values())
    assert model(batch).shape == (3, *shape)
    assert model.tensors(batch)["attention_map"].shape[0] == 3


def test_reconstruction_is_certain_outside_training_and_noisy_inside(make_model, images):
    model = make_model()
    np.testing.assert_array_equal(model(images), model(images))
    np.testing.assert_array_equal(model(images), model.decoder(model.encoder(images)["z_mean"]))
    assert not np.array_equal(model(images, training=True), model(images, training=True))


def test_a_dict_of_images_is_the_same_input(trained, images):
    model, _ = trained
    valid = np.ones((8, 16, 16, 1), "float32")
    for inputs in ({"images": images}, {"images": images, "valid": valid}):
        np.testing.assert_array_equal(
            model.predict(inputs, verbose=0), model.predict(images, verbose=0)
        )


def test_config_holds_every_argument(make_model):
    model = make_model(latent="dense", adacos="cluster", attention_layer=1, kl_weight=0.25)
    config = model.get_config()
    again = type(model).from_config(config)
    assert again.get_config() == config
    assert config["attention_layer"] == 1
    assert config["depth"] == 2
    for weight, same in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), same.numpy(), err_msg=weight.path)


@pytest.mark.parametrize("adacos", ["pretext", "cluster"])
def test_a_seed_decides_every_weight(make_model, adacos):
    keras.utils.set_random_seed(1)
    first = make_model(adacos=adacos, seed=3)
    keras.utils.set_random_seed(2)
    second, other = make_model(adacos=adacos, seed=3), make_model(adacos=adacos, seed=4)
    for weight, same, different in zip(first.weights, second.weights, other.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), same.numpy(), err_msg=weight.path)
        if np.std(weight) > 0:
            assert not np.array_equal(weight, different), weight.path


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("image_shape", (16, 16)),
        ("image_shape", (16, 16, 1)),
        ("image_shape", (7, 16, 3)),
        ("latent", "convolutional"),
        ("latent_dim", 0),
        ("filters", 0),
        ("depth", 1),
        ("depth", 0),
        ("adacos", "category"),
        ("adacos_scale", "linear"),
        ("num_sub_centers", 0),
        ("num_clusters", 1),
        ("embedding_dim", 0),
        ("reconstruction_weight", -1.0),
        ("kl_weight", -1e-9),
        ("adversarial_weight", -1.0),
        ("adacos_weight", float("nan")),
        ("ssim_weight", -0.5),
        ("kl_warmup_steps", -1),
        ("corruption", 1.5),
        ("corruption", -0.1),
        ("corruption", float("nan")),
        ("corruption", 0),
        ("attention_layer", 0),
        ("attention_layer", 3),
        ("seed", -1),
    ],
)
def test_a_wrong_argument_is_named(make_model, argument, value):
    with pytest.raises(InputError, match=f"`{argument}`"):
        make_model(**{argument: value})


def test_too_few_centers_are_refused(make_model):
    with pytest.raises(InputError, match="at least 3 centers"):
        make_model(adacos="cluster", num_clusters=2, num_sub_centers=1)


def test_a_scale_is_checked_even_where_it_is_not_used(make_model):
    with pytest.raises(InputError, match="`adacos_scale`"):
        make_model(adacos="none", adacos_scale="linear")


def test_images_of_another_size_are_refused(make_model, images):
    with pytest.raises(ValueError, match="16, 16, 3"):
        make_model()(images[:, :12])


def test_the_critic_knows_what_the_model_fails_to_restore(trained, images):
    model, _ = trained
    seen, restored, _ = model.restore(images)
    logits = np.asarray(model.judge(seen, restored)["logits"])
    assert np.any(np.asarray(model.judge(seen, seen)["logits"]) != logits)


def test_without_an_adversarial_term_no_logit_means_anything(make_model, images):
    model = make_model(adversarial_weight=0)
    assert model.image_logits(images) is None
    assert "discriminator_logits" not in model.tensors(images)


@pytest.mark.slow
def test_an_unopposed_discriminator_is_alive_within_300_steps(make_model, draw_images):
    model = make_model(image_shape=(32, 32, 3), filters=16, latent_dim=16)
    images, held_out = draw_images((40, 32, 32, 3), 1), draw_images((24, 32, 32, 3), 2)
    model.compile()
    model.fit(images, batch_size=8, epochs=5, verbose=0)
    model.optimizer.learning_rate.assign(0.0)
    model.fit(images, batch_size=8, epochs=60, verbose=0)
    logits = model.image_logits(held_out)
    real, made = (np.asarray(logits[name]) for name in ("image", "reconstruction"))
    assert np.mean(real[:, None] > made) > 0.95  # the AUROC: pairs in the right order
