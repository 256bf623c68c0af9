"""What `--model` names: a model class, its arguments, its experts and how it is trained.

Classes and functions are named, not imported: the command line lists the recipes without
TensorFlow.
"""

import dataclasses
import difflib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kerasad.errors import InputError, unknown_name
from kerasad.training.config import ModelConfig, TrainingConfig

if TYPE_CHECKING:
    from kerasad.models.base import AnomalyModel


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A model class and what it needs to become a detector.

    Args:
        model: str. The model class, as `"module:Class"`.
        arguments: dict. Arguments that differ from the defaults of the class.
        experts: str or None. A function `(shapes, position_free) -> experts`, as
            `"module:function"`; None leaves the choice to the detector.
        learning_rate: float. Adam's rate for encoder and decoder.
        discriminator_learning_rate: float or None. That of the discriminator; None without one.
        decay: str. `"none"`, or `"cosine"`: the rate falls to 0 over the training.
        batch_size: int. Images, or crops, in a training step.
        steps: int. About how many training steps are made if no number of epochs is given; 0 if
            the model has nothing to train.
        statistics: bool. Whether it has experts that gather statistics, from which an image can be
            left out; others may read what its networks compute.
    """

    model: str
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    experts: str | None = None
    learning_rate: float = 1e-3
    decay: str = "none"
    batch_size: int = 16
    steps: int = 600
    discriminator_learning_rate: float | None = 1e-3
    statistics: bool = False

    @property
    def model_class(self) -> type["AnomalyModel"]:
        """The model class."""
        return pkgutil.resolve_name(self.model)

    @property
    def make_experts(self) -> Callable[[dict, bool], list] | None:
        """The function that makes the experts, or None."""
        return None if self.experts is None else pkgutil.resolve_name(self.experts)

    @property
    def defaults(self) -> dict[str, Any]:
        """All arguments of the model that have a default, with those of the recipe."""
        return {**self.model_class.init_arguments(), **self.arguments}


def _baseline(name: str, **options) -> Recipe:
    """Returns the recipe of a baseline, which is named as `"file:Class"`."""
    options = {"discriminator_learning_rate": 2e-4, **options}
    return Recipe(f"kerasad.baselines.{name}", **options)


_ONE_PLAYER = {"discriminator_learning_rate": None, "decay": "cosine", "steps": 1000}
_STATISTICS = "kerasad.models.feature_extractor:FeatureExtractor"
_EXPERTS = "kerasad.detector.experts"
_FOUNDING_WORK = {
    "reconstruction_weight": 1.0,
    "kl_weight": 1.0,
    "adversarial_weight": 1.0,
    "adacos_weight": 1.0,
    "adacos": "instance",
    "kl_warmup_steps": 0,
    "ssim_weight": 0.0,
    "corruption": 0.0,
}
"""The loss of "Reference Algorithm for Anomaly Localization using MVTec": all terms weigh the same.

It names no classes, so that each image is its own, and neither damage, SSIM nor a warm-up.
"""
RECIPES = {
    name: Recipe(_STATISTICS, experts=f"{_EXPERTS}:{name}_experts", steps=0, statistics=True)
    for name in ("patch_gaussian", "feature_memory", "feature_statistics")
} | {
    "feature_vae_gan": Recipe(
        "kerasad.models.feature_vae_gan:FeatureVAEGAN",
        learning_rate=2e-3,
        discriminator_learning_rate=2e-3,
        decay="cosine",
        batch_size=8,
        steps=300,
        statistics=True,
    ),
    "vae_gan": Recipe("kerasad.models.vae_gan:VAEGAN", decay="cosine"),
    "vae_gan_reference": Recipe("kerasad.models.vae_gan:VAEGAN", _FOUNDING_WORK),
    "cavga_d": Recipe("kerasad.models.cavga:CAVGA", {"encoder_type": "dcgan"}),
    "cavga_r": Recipe("kerasad.models.cavga:CAVGA", {"encoder_type": "resnet18"}),
    "cavga_weak_d": Recipe(
        "kerasad.models.weakly_supervised_cavga:WeaklySupervisedCAVGA", {"encoder_type": "dcgan"}
    ),
    "cavga_weak_r": Recipe(
        "kerasad.models.weakly_supervised_cavga:WeaklySupervisedCAVGA", {"encoder_type": "resnet18"}
    ),
    "autoencoder_l2": _baseline("autoencoder_l2:AutoencoderL2", **_ONE_PLAYER),
    "autoencoder_ssim": _baseline("autoencoder_ssim:AutoencoderSSIM", **_ONE_PLAYER),
    "denoising_autoencoder": _baseline("denoising_autoencoder:DenoisingAutoencoder", **_ONE_PLAYER),
    "vae": _baseline("vae:VAE", **_ONE_PLAYER),
    "ganomaly": _baseline("ganomaly:GANomaly"),
    "student_teacher": _baseline("student_teacher:StudentTeacher", **_ONE_PLAYER),
    "adversarial_autoencoder": _baseline("adversarial_autoencoder:AdversarialAutoencoder"),
    "vae_gan_similarity": _baseline("vae_gan_similarity:VAEGANSimilarity"),
    "egbad": _baseline("egbad:EGBAD", learning_rate=2e-4),
    "f_anogan": _baseline("f_anogan:FAnoGAN", learning_rate=2e-4),
    "gaussian_mixture": _baseline("gaussian_mixture:GaussianMixture", steps=0),
}
"""The recipes by name."""

_OF_TRAINING = ("epochs", "learning_rate", "decay", "discriminator_learning_rate")


def find_recipe(name: str) -> Recipe:
    """Returns the recipe of a name.

    Raises:
        InputError: The name is unknown.
    """
    if name not in RECIPES:
        raise InputError(unknown_name("model", name, RECIPES))
    return RECIPES[name]


def import_models() -> None:
    """Imports the model class of every recipe, which registers it with Keras."""
    for recipe in RECIPES.values():
        _ = recipe.model_class


def resolve_arguments(config: ModelConfig, seed: int) -> ModelConfig:
    """Returns `config` with every argument of the model, defaults included.

    Raises:
        InputError: The model or an argument is unknown.
    """
    known = find_recipe(config.name).defaults
    for name in config.arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}."
            raise InputError(f"`{name}` is not an argument of {config.name}; {hint}")
    if "seed" in known:
        known["seed"] = seed
    return ModelConfig(config.name, {**known, **config.arguments})


def drop_training(config: ModelConfig, settings: TrainingConfig) -> TrainingConfig:
    """Returns `settings` for one of several recipes: without what it cannot use."""
    default = TrainingConfig()
    unused = {name: getattr(default, name) for name in _unused(find_recipe(config.name))}
    return dataclasses.replace(settings, **unused)


def _unused(recipe: Recipe) -> tuple[str, ...]:
    """Returns the settings of a training that a recipe cannot use."""
    if recipe.steps == 0:
        return _OF_TRAINING
    return ("discriminator_learning_rate",) if recipe.discriminator_learning_rate is None else ()


def resolve_training(config: ModelConfig, settings: TrainingConfig) -> TrainingConfig:
    """Returns `settings` with the recipe's learning rates and decay where none is given.

    Raises:
        InputError: A setting is given that the recipe cannot use.
    """
    recipe = find_recipe(config.name)
    for name in _unused(recipe):
        if getattr(settings, name) != getattr(TrainingConfig(), name):
            lacks = "has no discriminator" if recipe.steps > 0 else "trains no network"
            raise InputError(f"{config.name} {lacks}: leave out `training.{name}`.")
    if recipe.steps == 0:
        return settings
    return dataclasses.replace(
        settings,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        discriminator_learning_rate=settings.discriminator_learning_rate
        or recipe.discriminator_learning_rate,
        decay=settings.decay or recipe.decay,
    )
