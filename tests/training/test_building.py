from types import SimpleNamespace

import pytest

from kerasad.training.building import choose_epochs, with_batch_size, with_served_limit
from kerasad.training.config import DataConfig, ModelConfig, TrainingConfig


@pytest.mark.parametrize(
    ("name", "epochs", "expected"),
    [("vae_gan", None, 86), ("vae_gan", 3, 3), ("feature_vae_gan", None, 43)],
)
def test_epochs_are_as_given_or_make_the_steps_of_the_recipe(name, epochs, expected):
    category = SimpleNamespace(steps_per_epoch=7)
    assert choose_epochs(ModelConfig(name), TrainingConfig(epochs=epochs), category) == expected


def test_a_recipe_that_trains_nothing_has_no_epochs():
    category = SimpleNamespace(steps_per_epoch=7)
    assert choose_epochs(ModelConfig("feature_memory"), TrainingConfig(), category) is None


@pytest.mark.parametrize(
    ("settings", "weights", "expected"),
    [
        ({}, (500, 900), 4_000_000),
        ({}, (500, 2_000_000), 8_000_000),
        ({"pixel_limit": 6_000_000}, (500, 2_000_000), 6_000_000),
        ({"served_pixel_limit": 1000}, (500, 900), 1000),
    ],
)
def test_files_served_may_be_four_times_the_largest_of_the_data(settings, weights, expected):
    records = [SimpleNamespace(weight=weight) for weight in weights]
    category = SimpleNamespace(index=SimpleNamespace(good=records), full_shape=(32, 32, 3))
    config = with_served_limit(DataConfig("parts", **settings), category)
    assert config.served_pixel_limit == expected


def test_a_served_file_may_have_the_size_of_the_frame():
    records = [SimpleNamespace(weight=100)]
    category = SimpleNamespace(index=SimpleNamespace(good=records), full_shape=(3000, 3000, 3))
    assert with_served_limit(DataConfig("parts"), category).served_pixel_limit == 9_000_000


@pytest.mark.parametrize(("model", "size"), [("feature_vae_gan", 8), ("vae_gan", 16)])
def test_the_batch_size_is_the_recipes_unless_one_is_given(model, size):
    assert with_batch_size(DataConfig("x"), ModelConfig(model)).batch_size == size
    assert with_batch_size(DataConfig("x", batch_size=5), ModelConfig(model)).batch_size == 5
