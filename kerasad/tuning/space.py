"""The search space: arguments of models and learning rates, with their limits."""

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
    """One argument of a model and its possible values.

    Args:
        name: str. The name of the hyperparameter.
        choices: tuple of str. Its values; empty for a number.
        limits: pair. Lowest and highest value of a number, on a logarithmic scale; integers double
            from step to step.
        when: pair of the name of a parent and those of its values for which this entry matters, or
            None.
        argument: str or None. The name of the model's argument; None is `name`.
    """

    name: str
    choices: tuple[str, ...] = ()
    limits: tuple[float, float] = (0, 0)
    when: tuple[str, tuple[str, ...]] | None = None
    argument: str | None = None

    def ask(self, hp: keras_tuner.HyperParameters, default: Any) -> Any:
        """Registers the entry; returns its value, or None where it does not matter.

        A default outside the choices or limits extends them.
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


CENTERS = ("pretext", "critic", "cluster", "weak")
ANY_MODE = (*CENTERS, "instance")
SPACE = (
    Entry("latent", choices=("conv", "dense")),
    # Two names, because KerasTuner loses the value of a name that has two conditions.
    Entry("conv_latent_dim", limits=(16, 128), when=("latent", ("conv",)), argument="latent_dim"),
    Entry("dense_latent_dim", limits=(64, 512), when=("latent", ("dense",)), argument="latent_dim"),
    # Adam cancels a common factor of all four weights: only their ratios matter.
    Entry("reconstruction_weight", limits=(0.3, 3.0)),
    Entry("kl_weight", limits=(0.001, 1.0)),
    Entry("adversarial_weight", limits=(0.001, 0.1)),
    Entry("adacos", choices=("pretext", "critic", "cluster", "instance", "none")),
    Entry("adacos_weight", limits=(0.001, 0.1), when=("adacos", ANY_MODE)),
    Entry("adacos_scale", choices=("dynamic", "fixed"), when=("adacos", ANY_MODE)),
    # From 2 on: AdaCos needs 3 centers, and "weak" has two classes.
    Entry("num_sub_centers", limits=(2, 16), when=("adacos", CENTERS)),
    Entry("num_clusters", limits=(8, 64), when=("adacos", ("cluster",))),
)
"""Arguments of models; an argument that a model lacks is skipped."""

RATE_LIMITS = (1e-4, 3e-3)
RATIO_LIMITS = (0.05, 1.0)


def choose(
    hp: keras_tuner.HyperParameters, model: ModelConfig, training: TrainingConfig
) -> tuple[ModelConfig, TrainingConfig]:
    """Registers the search space and returns the configuration with the values of `hp`.

    Arguments that `model` names are kept. The defaults of all other arguments and of the learning
    rates are the values that a training without a search uses.

    Args:
        hp: HyperParameters.
        model: ModelConfig.
        training: TrainingConfig.

    Raises:
        InputError: Unknown model or argument.
    """
    own = resolve_arguments(model, training.seed).arguments
    training = resolve_training(model, training)
    known = {"latent": "conv", **own}  # a model without the argument has a convolutional latent
    fixed = {*model.arguments, *(known.keys() - own.keys())}
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
            # "pretext" tells synthetic defects apart, and this model has none.
            entry = dataclasses.replace(
                entry, choices=tuple(mode for mode in entry.choices if mode != "pretext")
            )
        with scope:
            value = entry.ask(hp, known[argument])
        if value is not None:
            chosen[argument] = value
    rate = _ask_around(hp, RATE, RATE_LIMITS, training.learning_rate)
    rates = {"learning_rate": rate}
    if training.discriminator_learning_rate is not None:
        ratio = training.discriminator_learning_rate / training.learning_rate
        ratio = _ask_around(hp, RATIO, RATIO_LIMITS, ratio)
        rates["discriminator_learning_rate"] = ratio * rate
    return ModelConfig(model.name, chosen), dataclasses.replace(training, **rates)


def _ask_around(hp, name, limits, default):
    """Registers a number; a default outside the limits widens them."""
    low, high = min(limits[0], default), max(limits[1], default)
    return hp.Float(name, low, high, sampling="log", default=default)
