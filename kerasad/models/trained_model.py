"""A Keras model with losses of its own: running means of them, and a guard over its training."""

import keras
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.errors import InputError
from kerasad.layers.cells import counting
from kerasad.models.base import AnomalyModel
from kerasad.models.health import assert_unit_range, name_failed_checks
from kerasad.models.loss_guard import LossGuard


class TrainedModel(AnomalyModel):
    """Base class of models that `fit` trains: a running mean of each loss, one guard.

    A subclass defines `generator_variables` and `train_step`, and calls `create_trackers` at the
    end of its `__init__`.

    Attributes:
        learning_rate: float. Adam's default rate.
        beta: float. Adam's decay of the mean gradient.
    """

    learning_rate = 1e-3
    beta = 0.5

    def create_trackers(self, loss_names: tuple[str, ...], other_names: tuple[str, ...]) -> None:
        """Creates running means of losses and of other measures."""
        self.trackers = {
            name: keras.metrics.Mean(name=name) for name in (*loss_names, *other_names)
        }

    def build(self, input_shape=None):
        """Does nothing: a subclass builds its networks in `__init__`."""

    def compile(self, optimizer=None, **kwargs):
        """Sets the optimizer.

        Args:
            optimizer: optimizer of `generator_variables`, the one that callbacks see. Defaults to
                `Adam(learning_rate, beta_1=beta)`.
            **kwargs: as in `keras.Model.compile`, without losses and metrics, which are built in;
                `jit_compile` defaults to `False`.

        Raises:
            InputError: For a loss or metrics.
        """
        for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise InputError(
                    f"`{name}` can't be given to `compile`: the terms of {type(self).__name__} "
                    "are built in and logged by name; set their weights when you create the model."
                )
        if optimizer is None:
            optimizer = keras.optimizers.Adam(self.learning_rate, beta_1=self.beta)
        # On a CPU, XLA took half as long again, after a minute of compiling, and it drops the check
        # of the images' range.
        kwargs.setdefault("jit_compile", False)
        super().compile(optimizer=optimizer, **kwargs)
        # An unbuilt optimizer would come back empty from a backup or a saved file.
        self.optimizer.build(self.generator_variables)

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
        """Returns the optimizer, serialized, and how steps run; None before `compile`."""
        if not self.compiled:
            return None
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config):
        """Compiles with the optimizers of a saved model."""
        config = {
            name: keras.saving.deserialize_keras_object(value)
            if name.endswith("optimizer")
            else value
            for name, value in config.items()
        }
        self.compile(**config)

    @property
    def generator_variables(self) -> list[keras.Variable]:
        """The variables that `optimizer` changes."""
        raise NotImplementedError

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


def read_images(data) -> tuple:
    """Returns the images of what `fit` gives a step, and their validity or None.

    In a graph the step stops if they are not in [0, 1], see `assert_unit_range`.
    """
    images, valid = unpack_inputs(keras.utils.unpack_x_y_sample_weight(data)[0])
    with tf.control_dependencies([assert_unit_range(images)]):
        return tf.identity(images), valid


def read_counting(data) -> tuple:
    """Returns `read_images` with 1 for pixels that count and 0 for others, or None."""
    images, valid = read_images(data)
    return images, None if valid is None else counting(valid)


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
