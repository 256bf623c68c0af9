import keras
import numpy as np
import pytest
import tensorflow as tf

import kerasad
from kerasad.errors import InputError
from kerasad.training.callbacks import SyntheticLocalization


def make_model(**arguments):
    settings = {"filters": 4, "latent_dim": 4, "embedding_dim": 8, "seed": 0, **arguments}
    return kerasad.FeatureVAEGAN((32, 48, 3), **settings)


def make_images(count=4):
    return np.random.default_rng(0).random((count, 32, 48, 3), "float32")


@pytest.fixture(scope="module")
def trained():
    model = make_model()
    model.compile()
    model.fit(make_images(), batch_size=2, verbose=0)
    return model


def test_it_trains_saves_and_comes_back_with_the_same_answers(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(make_images()), trained(make_images()))
    assert loaded.view.is_adapted


def test_the_backbone_stays_as_it_was(trained):
    fresh = make_model().view.backbone.get_weights()
    for before, after in zip(fresh, trained.view.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_fit_has_standardized_the_features_of_its_images(trained):
    features = np.asarray(trained.view(make_images()))
    np.testing.assert_allclose(features.mean(axis=(0, 1, 2)), 0.0, atol=0.01)
    assert np.median(features.std(axis=(0, 1, 2))) == pytest.approx(1.0, abs=0.05)


def test_padding_is_never_seen(trained):
    images, valid = make_images(), np.ones((4, 32, 48, 1), "float32")
    valid[:, :, 32:] = 0.0
    full = trained.tensors({"images": images, "valid": np.ones_like(valid)})["features"]
    np.testing.assert_allclose(full, trained.tensors(images)["features"], atol=1e-5)
    padded = trained.tensors({"images": images, "valid": valid})
    assert padded["features"].shape == full.shape


def test_cells_outside_a_region_of_interest_weigh_nothing(trained):
    valid = np.full((4, 32, 48, 1), 0.5, "float32")
    valid[:, :, 20:] = 1.0  # of cells of 8 pixels, the third shows a part of the region
    inputs = {"images": make_images(), "valid": valid}
    batch = trained.read_batch(inputs, training=False)
    expected = np.broadcast_to([0, 0, 1, 1, 1, 1], (4, 4, 6))
    np.testing.assert_array_equal(np.asarray(batch.valid)[..., 0], expected)
    made = np.asarray(batch.target) + (1 - np.asarray(batch.valid))
    loss = trained.reconstruction_loss.call(batch.target, made, batch.valid)
    np.testing.assert_allclose(loss, 0.0, atol=1e-5)


def test_restored_features_have_the_shape_of_the_features(trained):
    tensors = trained.tensors(make_images())
    assert tensors["features"].shape == tensors["restored_features"].shape == (4, 4, 6, 176)
    assert tensors["z_mean"].shape == (4, 2, 3, 4)
    assert trained.residual_map(make_images()).shape == (4, 32, 48, 1)


def test_cached_features_give_the_same_target_as_computed_ones(trained):
    images = make_images()
    raw = np.asarray(trained.view.raw_features(images)).astype("float16")
    cached = trained.read_batch({"images": images, "features": raw}, training=True).target
    computed = trained.read_batch(images, training=True).target
    np.testing.assert_allclose(cached, computed, atol=0.02)


@pytest.fixture(scope="module")
def in_half():
    """A model in half precision that was trained with clusters, and its history."""
    model = make_model(adacos="cluster", num_clusters=3, dtype="mixed_float16")
    model.compile(run_eagerly=True)
    return model, model.fit(make_images(), batch_size=4, verbose=0).history


def test_it_trains_with_the_clusters_of_adacos(in_half):
    _, history = in_half
    assert np.isfinite(history["loss"]).all()
    assert history["adacos_loss"][0] > 0


@pytest.fixture(scope="module")
def watched():
    """The history of a training whose residual map is looked at."""
    model = make_model(adacos="instance")
    model.compile(run_eagerly=True)
    images = make_images()
    watch = SyntheticLocalization(tf.data.Dataset.from_tensor_slices(images).batch(4))
    return model.fit(images, batch_size=4, verbose=0, callbacks=[watch]).history


def test_it_trains_with_the_instances_of_adacos(watched):
    assert np.isfinite(watched["loss"]).all()


def test_only_the_image_head_learns_from_the_small_picture():
    model = make_model(adacos="none", adversarial_weight=0, reconstruction_weight=0, kl_weight=0)
    model.compile(run_eagerly=True)
    encoder, head = model.encoder.get_weights(), model.image_head.get_weights()
    model.fit(make_images(), batch_size=4, verbose=0)
    for before, after in zip(encoder, model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    moved = zip(head, model.image_head.get_weights(), strict=True)
    assert any(np.any(before != after) for before, after in moved)


@pytest.mark.parametrize("name", ["latent", "depth", "ssim_weight", "attention_layer"])
def test_arguments_that_mean_nothing_on_features_are_refused_by_name(name):
    with pytest.raises(InputError, match=f"`{name}` is an argument of VAEGAN, on pixels"):
        make_model(**{name: None})
    assert name not in kerasad.FeatureVAEGAN.init_arguments()


def test_its_config_holds_every_argument_of_its_own(trained):
    config = trained.get_config()
    assert config["backbone"] == "efficientnet_lite0"
    assert config["backbone_weights"] == "imagenet"
    assert kerasad.FeatureVAEGAN.init_arguments().keys() <= config.keys()


def test_it_trains_under_mixed_precision_with_features_in_full(in_half):
    model, history = in_half
    assert np.isfinite(history["loss"]).all()
    tensors = model.tensors(make_images())
    assert {tensor.dtype.name for tensor in tensors.values()} == {"float32"}
    np.testing.assert_allclose(model.view(make_images()), tensors["features"], atol=1e-5)


def test_the_watch_on_synthetic_defects_looks_at_its_residual_map(watched):
    assert 0.0 < watched["synthetic_iou"][0] < 1.0


def test_the_small_picture_of_a_padded_image_lies_where_the_image_does(trained):
    valid = np.zeros((4, 32, 48, 1), "float32")
    valid[:, :16, :24] = 1.0
    picture = np.asarray(trained({"images": make_images(), "valid": valid}))
    height, width = picture.shape[1] // 2, picture.shape[2] // 2
    # Beyond the corner all is the repeated edge.
    np.testing.assert_allclose(picture[:, -1], picture[:, height + 1], atol=1e-4)
    np.testing.assert_allclose(picture[:, :, -1], picture[:, :, width + 1], atol=1e-4)
    assert np.ptp(picture[:, :height, :width]) > 0


def test_the_small_picture_is_never_larger_than_the_image():
    size = (24, 40)
    model = kerasad.FeatureVAEGAN(
        (*size, 3), filters=4, latent_dim=4, embedding_dim=8, adacos="none", seed=0
    )
    height, width = model(np.zeros((2, *size, 3), "float32")).shape[1:3]
    assert height <= size[0]
    assert width <= size[1]


def waves(count, seed):
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:32, :48] / 48
    speed = generator.uniform(-9, 9, size=(2, count, 1, 1, 3))
    phase = speed[0] * rows[..., None] + speed[1] * columns[..., None]
    return (0.5 + 0.45 * np.sin(phase)).astype("float32")


@pytest.mark.slow
@pytest.mark.parametrize("adacos", ["critic", "none"])
def test_an_unopposed_discriminator_is_alive_within_300_steps(adacos):
    model, images, held_out = make_model(adacos=adacos), waves(40, 0), waves(24, 1)
    rates = {"learning_rate": 2e-3}
    model.compile(keras.optimizers.Adam(**rates), keras.optimizers.Adam(**rates, beta_1=0.0))
    model.fit(images, batch_size=8, epochs=5, verbose=0)
    model.optimizer.learning_rate.assign(0.0)
    model.fit(images, batch_size=8, epochs=60, verbose=0)
    logits = model.image_logits(held_out)
    real, made = (np.asarray(logits[name]) for name in ("image", "reconstruction"))
    assert np.mean(real[:, None] > made) > 0.95  # the AUROC: pairs in the right order


def test_both_players_look_at_the_same_cells_and_damaged_ones_among_them(trained):
    batch = trained.read_batch(make_images(), training=True)
    _, (seen, made) = trained.generator_losses(batch, training=True)
    count = min(24, trained.sampled_cells.count)
    assert seen.inputs.shape == seen.target.shape == made.shape == (4, count, 1, 176)
    damaged = np.count_nonzero(np.asarray(batch.mask) > 0.25)
    assert 0 < np.count_nonzero(np.asarray(seen.mask) > 0.25) == damaged
    # A whole image is looked at in a test.
    _, (seen, _) = trained.generator_losses(batch, training=False)
    assert seen.inputs.shape == (4, 4, 6, 176)


def test_the_critic_knows_what_the_model_fails_to_restore(trained):
    features, restored, _ = trained.restore(make_images())
    logits = trained.judge(features, restored)["logits"]
    np.testing.assert_allclose(trained.tensors(make_images())["discriminator_logits"], logits)
    assert np.any(np.asarray(trained.judge(features, features)["logits"]) != np.asarray(logits))


def test_without_an_adversarial_term_no_logit_means_anything():
    model = make_model(adversarial_weight=0)
    assert model.image_logits(make_images()) is None
    assert "discriminator_logits" not in model.tensors(make_images())
