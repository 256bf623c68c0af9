import contextlib
import dataclasses

import keras_tuner
import pytest

from kerasad import InputError
from kerasad.models.base import AnomalyModel
from kerasad.training.building import build_model
from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.training.recipes import RECIPES, Recipe, resolve_arguments, resolve_training
from kerasad.tuning.oracles import BayesianOracle, HyperbandOracle, RandomOracle
from kerasad.tuning.space import choose

PIXELS = ModelConfig("vae_gan")
TRAINED = [name for name, recipe in RECIPES.items() if recipe.steps]
BASELINES = [n for n, recipe in RECIPES.items() if recipe.model.startswith("kerasad.baselines")]
SMALL = {"filters": 2, "depth": 2, "embedding_dim": 4}


def space_of(model=None, settings=None):
    """The space, complete: registered under every condition."""
    hp = keras_tuner.HyperParameters()
    choose(hp, model or PIXELS, settings or TrainingConfig())
    return hp


def draw(oracle, hp, count):
    """The configurations of that many trials."""
    oracle.update_space(hp)
    drawn = []
    for number in range(count):
        values = oracle.populate_space(str(number))["values"]
        trial = hp.copy()
        trial.values = dict(values)
        drawn.append((values, *choose(trial, PIXELS, TrainingConfig())))
        oracle.trials[str(number)] = keras_tuner.engine.trial.Trial(trial, str(number), "FAILED")
    return drawn


@pytest.mark.parametrize("name", TRAINED)
def test_the_defaults_of_the_space_are_those_without_a_search(name):
    plain = ModelConfig(name)
    model, settings = choose(keras_tuner.HyperParameters(), plain, TrainingConfig())
    assert resolve_arguments(model, 0) == resolve_arguments(plain, 0)
    assert settings == resolve_training(plain, TrainingConfig())


def test_a_model_on_a_backbone_is_not_asked_for_a_dense_latent():
    names = {parameter.name for parameter in space_of(ModelConfig("feature_vae_gan")).space}
    assert "conv_latent_dim" in names
    assert names.isdisjoint({"latent", "dense_latent_dim"})


@pytest.mark.parametrize("oracle", [RandomOracle, BayesianOracle, HyperbandOracle])
def test_every_trial_has_the_arguments_that_its_choices_need_and_no_others(oracle):
    options = {"max_epochs": 27} if oracle is HyperbandOracle else {}
    for values, model, settings in draw(oracle(40, seed=0, **options), space_of(), 12):
        mode, arguments = values["adacos"], model.arguments
        assert ("num_clusters" in arguments) == (mode == "cluster")
        assert ("num_sub_centers" in arguments) == (mode in ("pretext", "critic", "cluster"))
        assert ("adacos_scale" in arguments) == ("adacos_weight" in arguments) == (mode != "none")
        low, high = (16, 128) if values["latent"] == "conv" else (64, 512)
        assert low <= arguments["latent_dim"] <= high
        assert f"{values['latent']}_latent_dim" in values
        ratio = settings.discriminator_learning_rate / settings.learning_rate
        assert 0.05 <= ratio <= 1.0
        assert ratio == pytest.approx(values["discriminator_rate_ratio"])


@pytest.mark.parametrize(
    ("mode", "latent"),
    [
        ("pretext", "dense"),
        ("critic", "conv"),
        ("cluster", "conv"),
        ("instance", "dense"),
        ("none", "conv"),
    ],
)
def test_every_choice_makes_a_model(mode, latent):
    fixed = ModelConfig("vae_gan", {**SMALL, "adacos": mode, "latent": latent, "latent_dim": 3})
    model, _ = choose(keras_tuner.HyperParameters(), fixed, TrainingConfig())
    built = build_model(model, (16, 16, 3), 0)
    assert (built.adacos, built.latent, built.latent_dim) == (mode, latent, 3)


class Corner(keras_tuner.HyperParameters):
    """Draws the lowest or the highest value of every number, and one of the choices."""

    def __init__(self, lowest, mode):
        super().__init__()
        self.lowest, self.mode = lowest, mode

    def Int(self, name, min_value, max_value, **options):  # noqa: N802
        return min_value if self.lowest else max_value

    def Choice(self, name, values, **options):  # noqa: N802
        return self.mode if name == "adacos" else options["default"]

    def conditional_scope(self, parent_name, parent_values):
        return contextlib.nullcontext()


# Those that differ by the encoder alone have the same space, and large encoders take their time.
# Baselines have little to search.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(x, marks=[pytest.mark.slow] if x.endswith("_r") or x in BASELINES else [])
        for x in TRAINED
    ],
)
@pytest.mark.parametrize("lowest", [True, False])
def test_every_corner_of_the_space_makes_a_model_of_every_name(name, lowest):
    small = {**SMALL, "latent_dim": 2}
    small |= {"num_clusters": 3} if not lowest else {}
    small = {key: value for key, value in small.items() if key != "filters" or "_r" not in name}
    known = resolve_arguments(ModelConfig(name), 0).arguments
    small = {key: value for key, value in small.items() if key in known}
    default = known.get("adacos")
    model, settings = choose(Corner(lowest, default), ModelConfig(name, small), TrainingConfig())
    built = build_model(model, (16, 16, 3), settings.seed)
    assert built.get_config().get("adacos") == default


def test_what_the_configuration_names_is_kept_and_not_searched():
    fixed = ModelConfig("vae_gan", {"adacos": "cluster", "latent_dim": 5, "kl_weight": 0.5})
    hp = keras_tuner.HyperParameters()
    model, _ = choose(hp, fixed, TrainingConfig())
    names = {parameter.name for parameter in hp.space}
    assert names.isdisjoint({"adacos", "kl_weight", "conv_latent_dim", "dense_latent_dim"})
    assert {"num_clusters", "latent", "adacos_weight"} <= names
    assert fixed.arguments.items() <= model.arguments.items()


def test_a_fixed_mode_without_centers_leaves_nothing_of_them_to_search():
    names = {
        p.name for p in space_of(ModelConfig("feature_vae_gan", arguments={"adacos": "none"})).space
    }
    assert not {name for name in names if "adacos" in name or name.startswith("num_")}


def test_a_default_outside_the_space_joins_it():
    hp = keras_tuner.HyperParameters()
    model, _ = choose(hp, ModelConfig("cavga_weak_d"), TrainingConfig())
    assert model.arguments["adacos"] == "weak"
    assert model.arguments["adversarial_weight"] == 1.0
    assert {"adacos_weight", "num_sub_centers"} <= set(hp.values)


def test_models_without_synthetic_defects_are_not_asked_for_pretext():
    hp = keras_tuner.HyperParameters()
    choose(hp, ModelConfig("cavga_d"), TrainingConfig())
    (modes,) = (one.values for one in hp.space if one.name == "adacos")
    assert sorted(modes) == ["cluster", "critic", "instance", "none"]


def test_a_learning_rate_outside_the_limits_widens_them():
    settings = dataclasses.replace(TrainingConfig(), learning_rate=0.1)
    hp = space_of(settings=settings)
    rate = next(parameter for parameter in hp.space if parameter.name == "learning_rate")
    assert rate.max_value == rate.default == 0.1
    assert choose(hp, PIXELS, settings)[1] == resolve_training(PIXELS, settings)


def test_a_model_is_asked_only_for_arguments_that_it_has(monkeypatch):
    class Plain(AnomalyModel):
        def __init__(self, image_shape, latent_dim=32, kl_weight=1.0, seed=None):
            super().__init__()

    monkeypatch.setattr("kerasad.models.Plain", Plain, raising=False)
    monkeypatch.setitem(RECIPES, "plain", Recipe("kerasad.models:Plain"))
    model, _ = choose(keras_tuner.HyperParameters(), ModelConfig("plain"), TrainingConfig())
    assert model.arguments == {"latent_dim": 32, "kl_weight": 1.0}


def test_an_argument_that_the_model_lacks_is_refused():
    with pytest.raises(InputError, match="did you mean `latent_dim`"):
        space_of(ModelConfig("feature_vae_gan", arguments={"latent_dims": 4}))
