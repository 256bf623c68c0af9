import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kerasad.training.building import choose_epochs, open_category, with_served_limit
from kerasad.training.config import DataConfig, ModelConfig, RunConfig, TrainingConfig


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


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32, 3), "uint8")
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return str(folder)


@pytest.mark.parametrize(
    ("name", "options", "batch_size", "crosswise", "folds"),
    [
        ("vae_gan", {}, 16, False, False),
        ("feature_statistics", {}, 16, True, False),
        ("feature_vae_gan", {}, 8, True, True),
        ("feature_vae_gan", {"crosswise": False}, 8, False, False),
    ],
)
def test_data_are_opened_as_the_recipe_trains(photos, name, options, batch_size, crosswise, folds):
    data = DataConfig(photos, image_size="32", group_by="none")
    category = open_category(RunConfig(data, ModelConfig(name)), **options)
    assert category.batch_size == batch_size
    assert category.split.crosswise is crosswise
    assert (category.network_folds is not None) is folds
    given = open_category(RunConfig(dataclasses.replace(data, batch_size=5)), **options)
    assert given.batch_size == 5
