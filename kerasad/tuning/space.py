"""What a search may change, and between which limits."""

import contextlib
import dataclasses
from dataclasses import dataclass
from typing import Any

import keras_tuner

from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.training.recipes import resolve_arguments, resolve_training

RATE, RATIO = "learning_rate", "discriminator_rate_ratio"


@dataclass(frozen=True)
class Entry:
    """One argument of a model and the values it may take.

    Args:
        name: str. The name of the hyperparameter.
        choices: tuple of str. Its values; empty for a number.
        limits: pair. Lowest and highest value of a number, which is drawn on a logarithmic scale;
            whole numbers double from step to step.
        when: pair of a parent's name and the values of it under which this one matters, or None.
        argument: str or None. What the model calls it; None is `name`.
    """

    name: str
    choices: tuple[str, ...] = ()
    limits: tuple[float, float] = (0, 0)
    when: tuple[str, tuple[str, ...]] | None = None
    argument: str | None = None

    def ask(self, hp: keras_tuner.HyperParameters, default: Any) -> Any:
        """Registers the entry; returns its value, or None where its parent rules it out.

        A default that is not among the choices, or outside the limits, joins or widens them.
        """
        if self.choices:
            choices = list(dict.fromkeys((*self.choices, default)))
            return hp.Choice(self.name, choices, default=default)
        low, high = self.limits
        if isinstance(low, int):
            low, high = min(low, default), max(high, default)
            return hp.Int(self.name, low, high, step=2, sampling="log", default=default)
        if default > 0:  # a logarithmic scale has no 0
            low, high = min(low, default), max(high, default)
        else:
            default = low
        return hp.Float(self.name, low, high, sampling="log", default=default)


CENTERS = ("pretext", "cluster", "weak")
ANY_MODE = (*CENTERS, "instance")
SPACE = (
    Entry("latent", choices=("conv", "dense")),
    # Two names: KerasTuner loses the value of one that stands under two conditions.
    Entry("conv_latent_dim", limits=(16, 128), when=("latent", ("conv",)), argument="latent_dim"),
    Entry("dense_latent_dim", limits=(64, 512), when=("latent", ("dense",)), argument="latent_dim"),
    # Adam undoes a common factor of all four weights; what is searched is how they compare.
    Entry("reconstruction_weight", limits=(0.3, 3.0)),
    Entry("kl_weight", limits=(0.001, 1.0)),
    Entry("adversarial_weight", limits=(0.001, 0.1)),
    Entry("adacos", choices=("pretext", "cluster", "instance", "none")),
    Entry("adacos_weight", limits=(0.001, 0.1), when=("adacos", ANY_MODE)),
    Entry("adacos_scale", choices=("dynamic", "fixed"), when=("adacos", ANY_MODE)),
    # From 2 on: AdaCos needs 3 centers, and "weak" has two classes.
    Entry("num_sub_centers", limits=(2, 16), when=("adacos", CENTERS)),
    Entry("num_clusters", limits=(8, 64), when=("adacos", ("cluster",))),
)
"""Arguments of models; a model that lacks one is not asked for it."""

RATE_LIMITS = (1e-4, 3e-3)
RATIO_LIMITS = (0.05, 1.0)


def choose(
    hp: keras_tuner.HyperParameters, model: ModelConfig, training: TrainingConfig
) -> tuple[ModelConfig, TrainingConfig]:
    """Registers the search space, and returns the configuration that `hp` stands for.

    Arguments that `model` names are kept. Of the others, and of the learning rates, the defaults
    of the space are what would be used without a search.

    Args:
        hp: KerasTuner's hyperparameters.
        model: ModelConfig.
        training: TrainingConfig.

    Returns:
        Both configurations with the values of `hp`.

    Raises:
        InputError: An unknown model or argument.
    """
    known = resolve_arguments(model, training.seed).arguments
    training = resolve_training(model, training)
    # On a backbone the code has cells; nothing else is to be chosen.
    fixed = {*model.arguments, *(() if known.get("backbone") is None else ("latent",))}
    chosen = dict(model.arguments)
    for entry in SPACE:
        argument = entry.argument or entry.name
        if argument not in known or argument in fixed:
            continue
        scope = contextlib.nullcontext()
        if entry.when is not None:
            parent, values = entry.when
            if parent not in known or parent in fixed:
                if known.get(parent) not in values:
                    continue
            else:
                scope = hp.conditional_scope(parent, list(values))
        if entry.name == "adacos" and known.get("corruption") == 0:
            # Without synthetic defects there is nothing for "pretext" to tell apart.
            entry = dataclasses.replace(
                entry, choices=tuple(mode for mode in entry.choices if mode != "pretext")
            )
        with scope:
            value = entry.ask(hp, known[argument])
        if value is not None:
            chosen[argument] = value
    rate = _ask_around(hp, RATE, RATE_LIMITS, training.learning_rate)
    ratio = training.discriminator_learning_rate / training.learning_rate
    ratio = _ask_around(hp, RATIO, RATIO_LIMITS, ratio)
    training = dataclasses.replace(
        training, learning_rate=rate, discriminator_learning_rate=ratio * rate
    )
    return ModelConfig(model.name, chosen), training


def _ask_around(hp, name, limits, default):
    """Asks for a number; a configured value outside the limits widens them."""
    low, high = min(limits[0], default), max(limits[1], default)
    return hp.Float(name, low, high, sampling="log", default=default)
