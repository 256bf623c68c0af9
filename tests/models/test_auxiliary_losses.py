"""The hook for losses of a subclass: the example of the docs runs, and mistakes have a sentence."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import TINY_MODEL
from keras import ops

from kerasad import CAVGA, VAEGAN, InputError

PAGE = Path(__file__).parents[2] / "docs" / "custom_losses.md"
TINY_FEATURES = {"backbone": "resnet18", "backbone_weights": None, "filters": 2, "latent_dim": 2}


def make_images(count=2, side=16):
    return np.random.default_rng(0).uniform(size=(count, side, side, 3)).astype("float32")


def train(model_class, returned, names=("mine",), **options):
    """Trains one step of a class whose hook returns what a function makes of its parent's terms."""

    class Model(model_class):
        auxiliary_loss_names = names

        def auxiliary_losses(self, *arguments):
            return returned(super().auxiliary_losses(*arguments))

    model = Model((16, 16, 3), seed=0, **TINY_MODEL, **options)
    model.compile(run_eagerly=True)  # the example of the docs is traced
    return model.fit(make_images(), verbose=0).history


@pytest.mark.slow
def test_the_example_of_the_docs_trains_and_is_saved(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(example, names)
    model = names["SmoothVAEGAN"]((32, 32, 3), smoothness_weight=0.5, seed=0, **TINY_FEATURES)
    model.compile()
    logs = model.fit(make_images(side=32), verbose=0).history
    assert logs["smoothness_loss"][0] > 0
    assert logs["image_loss"][0] > 0
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.smoothness_weight == 0.5
    assert loaded.test_on_batch(make_images(side=32), return_dict=True).keys() == logs.keys()


def test_a_term_is_logged_and_added_with_its_weight():
    plain = train(VAEGAN, lambda parent: parent, names=())
    added = train(VAEGAN, lambda parent: {**parent, "mine": (0.5, ops.ones(()))})
    assert added["mine"] == [1.0]
    assert added["loss"][0] == pytest.approx(plain["loss"][0] + 0.5)


def test_terms_of_a_parent_are_logged_without_being_named_again():
    logs = train(CAVGA, lambda parent: {**parent, "mine": (1.0, 0.25)})
    assert logs["mine"] == [0.25]
    assert "attention_loss" in logs


@pytest.mark.parametrize(
    ("parent", "returned", "message"),
    [
        (
            CAVGA,
            lambda parent: {"mine": (1.0, ops.ones(()))},
            r"Model.auxiliary_losses returns no 'attention_loss'.*`super\(\).auxiliary_losses\(",
        ),
        (VAEGAN, lambda parent: parent, "returns no 'mine', which `auxiliary_loss_names`"),
        (
            VAEGAN,
            lambda parent: {"mine": ops.ones(())},
            r"must return `\(weight, loss\)` for 'mine'. Received: a tensor of shape \(\)",
        ),
        (VAEGAN, lambda parent: {"mine": 1.0}, "for 'mine'. Received: 1.0"),
        (VAEGAN, lambda parent: ops.ones(()), "must return a dict.*Received: a tensor of shape"),
        (VAEGAN, lambda parent: None, "Received: None; does it lack a `return`"),
        (
            VAEGAN,
            lambda parent: {"mine": (1.0, ops.ones((2,)))},
            r"a scalar loss for 'mine'. Received the shape \(2,\); take its mean",
        ),
        (
            VAEGAN,
            lambda parent: {"mine": (1.0, 0.0), "other": (1.0, 0.0)},
            "returns 'other', which no class declares: add it to `auxiliary_loss_names`",
        ),
    ],
)
def test_a_hook_that_is_wrong_is_told_how_to_be_right(parent, returned, message):
    with pytest.raises(InputError, match=message) as raised:
        train(parent, returned)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("mine", r"must be a tuple of names, such as \(\"my_loss\",\). Received: 'mine'"),
        (("kl_loss",), "has 'kl_loss', which is a loss of every model"),
    ],
)
def test_names_that_are_none_are_refused_when_the_model_is_made(names, message):
    with pytest.raises(InputError, match=message):
        train(VAEGAN, lambda parent: parent, names=names)
