"""From a configuration to a compiled model."""

import math

import keras

from kerasad.data.category import Category
from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.training.recipes import find_recipe, resolve_arguments


def choose_epochs(model: ModelConfig, settings: TrainingConfig, category: Category) -> int:
    """The number of epochs asked for, or as many as make about the model's number of steps."""
    return settings.epochs or math.ceil(find_recipe(model.name).steps / category.steps_per_epoch)


def build_model(config: ModelConfig, image_shape: tuple[int, int, int], seed: int) -> keras.Model:
    """The untrained model of a configuration.

    Raises:
        InputError: An unknown model, an unknown argument or a value outside its range.
    """
    arguments = resolve_arguments(config, seed).arguments
    return find_recipe(config.name).model_class(image_shape=image_shape, **arguments)


def compile_model(model: keras.Model, settings: TrainingConfig, steps: int) -> None:
    """Gives a model the two optimizers of a resolved configuration, for so many steps."""
    rate = settings.learning_rate
    if settings.decay == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        optimizer=keras.optimizers.Adam(rate, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(
            settings.discriminator_learning_rate, beta_1=0.5
        ),
    )
