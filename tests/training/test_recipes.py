import pytest

from kerasad.errors import InputError
from kerasad.models.base import AnomalyModel
from kerasad.models.two_player_model import TwoPlayerModel
from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.training.recipes import (
    RECIPES,
    drop_training,
    find_recipe,
    resolve_arguments,
    resolve_training,
)

UNTRAINED = ("patch_gaussian", "feature_memory", "feature_statistics")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_a_model_and_experts_that_exist(name):
    recipe = find_recipe(name)
    assert issubclass(recipe.model_class, AnomalyModel)
    assert recipe.arguments.keys() <= recipe.defaults.keys()
    assert recipe.experts is None or callable(recipe.make_experts)


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.steps])
def test_rates_of_a_recipe_are_those_of_a_bare_compile(name):
    recipe = find_recipe(name)
    model_class = recipe.model_class
    assert model_class.learning_rate == recipe.learning_rate
    has_discriminator = issubclass(model_class, TwoPlayerModel)
    rate = model_class.discriminator_learning_rate if has_discriminator else None
    assert rate == recipe.discriminator_learning_rate


def test_the_experts_of_both_halves_are_those_of_the_whole():
    shapes = {"features": (None, 8, 8, 6), "tap_1": (None, 8, 8, 2), "tap_2": (None, 4, 4, 4)}
    patch, memory, both = (
        [expert.get_config() for expert in RECIPES[name].make_experts(shapes, False)]
        for name in UNTRAINED
    )
    assert [*patch, *memory] == both[:2]
    assert len(patch) == len(memory) == 1


def test_defaults_of_the_recipe_fill_what_is_not_given():
    given = TrainingConfig(learning_rate=0.5)
    found = resolve_training(ModelConfig("feature_vae_gan"), given)
    assert (found.learning_rate, found.decay) == (0.5, "cosine")
    arguments = resolve_arguments(ModelConfig("cavga_r", {"filters": 3}), seed=7).arguments
    assert (arguments["encoder_type"], arguments["filters"]) == ("resnet18", 3)
    assert arguments["seed"] == 7


def test_the_loss_of_the_founding_work_is_the_plain_sum_of_its_four_terms():
    known = resolve_arguments(ModelConfig("vae_gan_reference"), seed=0).arguments
    terms = ("reconstruction", "kl", "adversarial", "adacos")
    assert [known[f"{term}_weight"] for term in terms] == [1.0, 1.0, 1.0, 1.0]
    assert (known["ssim_weight"], known["corruption"], known["kl_warmup_steps"]) == (0, 0, 0)
    assert (known["adacos"], known["latent"]) == ("instance", "conv")


@pytest.mark.parametrize(
    "setting",
    [{"epochs": 3}, {"learning_rate": 0.1}, {"decay": "none"}, {"discriminator_learning_rate": 1}],
)
@pytest.mark.parametrize("name", UNTRAINED)
def test_a_recipe_that_trains_nothing_refuses_settings_of_a_training(name, setting):
    message = rf"{name} trains no network: leave out `training\.{next(iter(setting))}`"
    with pytest.raises(InputError, match=message):
        resolve_training(ModelConfig(name), TrainingConfig(**setting))
    assert resolve_training(ModelConfig(name), TrainingConfig(seed=3)) == TrainingConfig(seed=3)


def test_a_recipe_without_a_discriminator_refuses_its_learning_rate():
    given = TrainingConfig(discriminator_learning_rate=0.1)
    with pytest.raises(InputError, match=r"vae has no discriminator: leave out `training\.discr"):
        resolve_training(ModelConfig("vae"), given)
    assert drop_training(ModelConfig("vae"), given) == TrainingConfig()
    assert resolve_training(ModelConfig("vae"), TrainingConfig()).learning_rate == 1e-3


def test_of_several_recipes_each_takes_what_it_can_use():
    given = TrainingConfig(epochs=3, learning_rate=0.1, seed=4)
    assert drop_training(ModelConfig("vae_gan"), given) == given
    assert drop_training(ModelConfig("feature_memory"), given) == TrainingConfig(seed=4)


def test_what_is_unknown_is_named_with_what_is_near():
    with pytest.raises(InputError, match=r"Unknown model 'vae_gam'; did you mean 'vae_gan'"):
        find_recipe("vae_gam")
    with pytest.raises(InputError, match=r"`taps_` is not an argument of .* mean `taps`"):
        resolve_arguments(ModelConfig("feature_memory", {"taps_": []}), 0)
