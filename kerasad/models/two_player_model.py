"""A Keras model of two players, generator and discriminator, each with its own optimizer."""

import keras

from kerasad.errors import InputError
from kerasad.models.trained_model import TrainedModel


class TwoPlayerModel(TrainedModel):
    """Base class of adversarial models: a second optimizer beside that of `TrainedModel`.

    A subclass defines `generator_variables` and `discriminator_variables`.

    Attributes:
        discriminator_learning_rate: float. Adam's default rate for the discriminator.
        discriminator_beta: float. Adam's decay of the discriminator's mean gradient.
    """

    discriminator_learning_rate = 2e-4
    discriminator_beta = 0.5

    def compile(self, optimizer=None, discriminator_optimizer=None, **kwargs):
        """Sets the optimizers of both players.

        Args:
            optimizer: optimizer of the generator, see `TrainedModel.compile`.
            discriminator_optimizer: optimizer of the discriminator. Defaults to
                `Adam(discriminator_learning_rate, beta_1=discriminator_beta)`.
            **kwargs: as in `TrainedModel.compile`.

        Raises:
            InputError: For a loss or metrics, or for one optimizer in both places.
        """
        super().compile(optimizer, **kwargs)
        if discriminator_optimizer is None:
            discriminator_optimizer = keras.optimizers.Adam(
                self.discriminator_learning_rate, beta_1=self.discriminator_beta
            )
        discriminator_optimizer = keras.optimizers.get(discriminator_optimizer)
        if discriminator_optimizer in (self.optimizer, optimizer):
            raise InputError(
                "`discriminator_optimizer` is the same object as `optimizer`; each player needs "
                "an optimizer of its own."
            )
        scaled = keras.optimizers.LossScaleOptimizer
        if self.dtype_policy.name == "mixed_float16" and not isinstance(
            discriminator_optimizer, scaled
        ):
            discriminator_optimizer = scaled(discriminator_optimizer)
        self.discriminator_optimizer = discriminator_optimizer
        self.discriminator_optimizer.build(self.discriminator_variables)

    def get_compile_config(self):
        """Returns both optimizers, serialized, and how steps run; None before `compile`."""
        config = super().get_compile_config()
        if config is None:
            return None
        serialized = keras.saving.serialize_keras_object(self.discriminator_optimizer)
        return {**config, "discriminator_optimizer": serialized}

    @property
    def discriminator_variables(self) -> list[keras.Variable]:
        """The variables that `discriminator_optimizer` changes."""
        raise NotImplementedError
