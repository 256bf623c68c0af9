"""What `--model` names: a model class, its arguments and how it is trained."""

import dataclasses
import difflib
from typing import Any

import keras

from kerasad.errors import InputError
from kerasad.models import CAVGA, VAEGAN, WeaklySupervisedCAVGA
from kerasad.models.arguments import init_arguments
from kerasad.training.config import ModelConfig, TrainingConfig


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a name of `--model` stands for.

    Args:
        model_class: the class.
        arguments: dict. Arguments that differ from the defaults of the class.
        learning_rate: float. Adam's rate for encoder and decoder, if the user names none.
        steps: int. About how many training steps are made, if the user names no epochs.
        decay: str. `"none"`, or `"cosine"`: the rate falls to 0 over the training.
    """

    model_class: type[keras.Model]
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    learning_rate: float = 1e-3
    decay: str = "none"
    steps: int = 600


RECIPES: dict[str, Recipe] = {
    "feature_vae_gan": Recipe(
        VAEGAN, {"backbone": "efficientnet_lite0"}, learning_rate=2e-3, decay="cosine", steps=300
    ),
    "vae_gan": Recipe(VAEGAN),
    "cavga_d": Recipe(CAVGA, {"encoder_type": "dcgan"}),
    "cavga_r": Recipe(CAVGA, {"encoder_type": "resnet18"}),
    "cavga_weak_d": Recipe(WeaklySupervisedCAVGA, {"encoder_type": "dcgan"}),
    "cavga_weak_r": Recipe(WeaklySupervisedCAVGA, {"encoder_type": "resnet18"}),
}
"""What `--model` may name."""


def find_recipe(name: str) -> Recipe:
    """What a name of `--model` stands for.

    Raises:
        InputError: There is no such name.
    """
    if name not in RECIPES:
        raise InputError(f"There is no model {name!r}; there is {', '.join(RECIPES)}.")
    return RECIPES[name]


def resolve_training(config: ModelConfig, settings: TrainingConfig) -> TrainingConfig:
    """`settings` with what is best for the model where the user says nothing."""
    choice = find_recipe(config.name)
    return dataclasses.replace(
        settings,
        learning_rate=settings.learning_rate or choice.learning_rate,
        decay=settings.decay or choice.decay,
    )


def resolve_arguments(config: ModelConfig, seed: int) -> ModelConfig:
    """`config` with every argument of the model, those left at their defaults included.

    Raises:
        InputError: An unknown model or argument.
    """
    choice = find_recipe(config.name)
    known = {**init_arguments(choice.model_class), **choice.arguments}
    for name in config.arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}."
            raise InputError(f"`{name}` is not an argument of {config.name}; {hint}")
    return ModelConfig(config.name, {**known, "seed": seed, **config.arguments})
