from types import SimpleNamespace

import pytest

from kerasad.training.building import choose_epochs
from kerasad.training.config import ModelConfig, TrainingConfig


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
