import keras_tuner
import pytest

from kerasad.data import load_category
from kerasad.data.category import Category
from kerasad.errors import InputError
from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.tuning import DetectorHyperModel


@pytest.fixture
def data(plate):
    return load_category(plate, "16x16", batch_size=4)


def test_values_reach_the_model_and_both_optimizers(data):
    hypermodel = DetectorHyperModel(
        data,
        ModelConfig("vae_gan", {"filters": 2, "depth": 2}),
        TrainingConfig(epochs=1, synthetic_defects=8, seed=4),
    )
    hp = keras_tuner.HyperParameters()
    hp.values = {
        "latent": "dense",
        "dense_latent_dim": 64,
        "reconstruction_weight": 2.0,
        "kl_weight": 0.25,
        "adversarial_weight": 0.05,
        "adacos": "cluster",
        "adacos_weight": 0.02,
        "adacos_scale": "fixed",
        "num_sub_centers": 2,
        "num_clusters": 16,
        "learning_rate": 2e-3,
        "discriminator_rate_ratio": 0.5,
    }
    model = hypermodel.build(hp)
    assert (model.latent, model.latent_dim, model.seed) == ("dense", 64, 4)
    weights = ("reconstruction_weight", "kl_weight", "adversarial_weight", "adacos_weight")
    assert [getattr(model, name) for name in weights] == [2.0, 0.25, 0.05, 0.02]
    assert (model.adacos, model.adacos_scale) == ("cluster", "fixed")
    assert (model.num_sub_centers, model.num_clusters) == (2, 16)
    assert float(model.optimizer.learning_rate) == pytest.approx(2e-3)
    assert float(model.discriminator_optimizer.learning_rate) == pytest.approx(1e-3)
    config, training = hypermodel.configuration(hp)
    assert config.arguments["latent_dim"] == 64
    assert (training.epochs, training.discriminator_learning_rate) == (1, 1e-3)


def test_the_configuration_of_a_short_trial_is_as_short(data, small):
    hypermodel = DetectorHyperModel(data, small, TrainingConfig(epochs=9, synthetic_defects=8))
    hp = keras_tuner.HyperParameters()
    hp.values = {"tuner/epochs": 3, "tuner/initial_epoch": 1}
    assert hypermodel.configuration(hp)[1].epochs == 3


@pytest.mark.slow
def test_a_trial_repeats_itself_and_sees_no_test_image(data, small, monkeypatch):
    def refuse(self):
        raise AssertionError("test images")

    monkeypatch.setattr(Category, "test", property(refuse))
    monkeypatch.setattr(Category, "calibration", property(refuse))
    hypermodel = DetectorHyperModel(data, small, TrainingConfig(epochs=1, synthetic_defects=8))
    results = []
    for _ in range(2):
        hp = keras_tuner.HyperParameters()
        results.append(hypermodel.fit(hp, hypermodel.build(hp)))
    assert results[0] == results[1]
    assert results[0].keys() == {"synthetic_localization"}


@pytest.mark.slow
def test_a_training_that_diverges_is_a_failed_trial_with_its_reason(data, small):
    wild = ModelConfig("vae_gan", {**small.arguments, "reconstruction_weight": 1e38})
    hypermodel = DetectorHyperModel(data, wild, TrainingConfig(epochs=1, synthetic_defects=8))
    hp = keras_tuner.HyperParameters()
    with pytest.raises(keras_tuner.errors.FailedTrialError, match="_loss` became "):
        hypermodel.fit(hp, hypermodel.build(hp))


def test_an_unknown_model_is_refused_by_name(data):
    with pytest.raises(InputError, match="Unknown model 'gan'"):
        DetectorHyperModel(data, ModelConfig("gan"))


def test_a_model_that_trains_nothing_has_nothing_to_search(data):
    with pytest.raises(InputError, match="patch_gaussian trains no network"):
        DetectorHyperModel(data, ModelConfig("patch_gaussian"))
