"""A Keras model of two players, generator and discriminator, each with its own optimizer."""

import keras
import tensorflow as tf

from kerasad.errors import InputError
from kerasad.models.base import AnomalyModel
from kerasad.models.health import name_failed_checks
from kerasad.models.loss_guard import LossGuard


class TwoPlayerModel(AnomalyModel):
    """Base class of adversarial models: two optimizers, a running mean of each loss, one guard.

    A subclass defines `generator_variables` and `discriminator_variables`, and calls
    `create_trackers` at the end of its `__init__`.

    Attributes:
        learning_rate: float. Adam's default rate for the generator.
        discriminator_learning_rate: float. That for the discriminator.
        discriminator_beta: float. Adam's decay of the discriminator's mean gradient.
    """

    learning_rate = 1e-3
    discriminator_learning_rate = 2e-4
    discriminator_beta = 0.5

    def create_trackers(self, loss_names: tuple[str, ...], other_names: tuple[str, ...]) -> None:
        """Creates running means of losses and of other measures."""
        self.trackers = {
            name: keras.metrics.Mean(name=name) for name in (*loss_names, *other_names)
        }

    def build(self, input_shape=None):
        """Does nothing: a subclass builds its networks in `__init__`."""

    def compile(self, optimizer=None, discriminator_optimizer=None, **kwargs):
        """Sets the optimizers of both players.

        Args:
            optimizer: optimizer of the generator, the one that callbacks see. Defaults to
                `Adam(learning_rate, beta_1=0.5)`.
            discriminator_optimizer: optimizer of the discriminator. Defaults to
                `Adam(discriminator_learning_rate, beta_1=discriminator_beta)`.
            **kwargs: as in `keras.Model.compile`, without losses and metrics, which are built in;
                `jit_compile` defaults to `False`.

        Raises:
            InputError: For a loss or metrics, or for one optimizer in both places.
        """
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise InputError(
                    f"`{name}` can't be given to `compile`: the terms of {type(self).__name__} "
                    "are built in and logged by name; set their weights when you create the model."
                )
        if optimizer is None:
            optimizer = keras.optimizers.Adam(self.learning_rate, beta_1=0.5)
        if discriminator_optimizer is None:
            discriminator_optimizer = keras.optimizers.Adam(
                self.discriminator_learning_rate, beta_1=self.discriminator_beta
            )
        # On a CPU, XLA took half as long again, after a minute of compiling, and it drops the check
        # of the images' range.
        kwargs.setdefault("jit_compile", False)
        super().compile(optimizer=optimizer, **kwargs)
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
        # Unbuilt optimizers would come back empty from a backup or a saved file.
        self.optimizer.build(self.generator_variables)
        self.discriminator_optimizer.build(self.discriminator_variables)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        **kwargs,
    ):
        """Trains as `keras.Model.fit` does, under a `LossGuard`.

        Raises:
            TrainingDivergedError: A loss or a weight is no longer finite; the message names it.
            InputError: Images are not floats in [0, 1].
        """
        callbacks = [LossGuard(), *keras.tree.flatten(callbacks or [])]
        with name_failed_checks():
            return super().fit(x, y, batch_size, epochs, verbose, callbacks, **kwargs)

    def get_compile_config(self):
        """Returns both optimizers, serialized; None before `compile`."""
        if not self.compiled:
            return None
        serialize = keras.saving.serialize_keras_object
        return {
            "optimizer": serialize(self.optimizer),
            "discriminator_optimizer": serialize(self.discriminator_optimizer),
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config):
        """Compiles with the optimizers of a saved model."""
        config = dict(config)
        for name in ("optimizer", "discriminator_optimizer"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        self.compile(**config)

    @property
    def metrics(self):
        """The running means of all terms."""
        # Keras finds the trackers too, and has its own `loss`, which nothing updates.
        own = list(self.trackers.values())
        return own + [metric for metric in super().metrics if metric.name not in self.trackers]

    def track(self, measured: dict) -> dict:
        """Updates all trackers with a batch's values; returns their running means."""
        for name, tracker in self.trackers.items():
            tracker.update_state(tf.identity(measured[name]))
        return self.get_metrics_result()


def loss_gradients(tape: tf.GradientTape, loss, variables: list) -> list:
    """Returns the gradients of a loss, scaled inside the tape by its optimizer, as tensors.

    A weight of 0 leaves parts of a network without a gradient. These get zeros, which TensorFlow
    fills in only for its own variables.
    """
    return tape.gradient(
        loss,
        [variable.value for variable in variables],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
