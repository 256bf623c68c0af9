"""A model that decides only after its calibration; scores are always available."""

import keras
import numpy as np
import tensorflow as tf

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.detector.batches import check_arrays
from kerasad.detector.decision import ConformalDecision
from kerasad.detector.frames import iterate_inputs
from kerasad.models.health import name_failed_checks
from kerasad.tracing import for_any_batch

SCORES = ("anomaly_map", "anomaly_score")
"""Outputs that do not depend on the calibration."""


class DecidingModel(keras.Model):
    """A model whose `call` and `predict` raise an error before its calibration.

    A subclass has a `decision` and defines `answer`. Calibrated or not, `score_on_batch` and
    `score_stream` run the graph of `predict`, so that an image has the same score everywhere.
    """

    decision: ConformalDecision

    def answer(self, inputs) -> dict:
        """Returns all outputs for inputs, calibrated or not."""
        raise NotImplementedError

    def __call__(self, *args, **kwargs):
        """Calls the model as any Keras layer; raises an `InputError` as `predict` does."""
        with name_failed_checks():
            return super().__call__(*args, **kwargs)

    def call(self, inputs):
        """Returns the outputs of `answer`; refuses before the calibration."""
        images, valid = unpack_inputs(inputs)
        with tf.control_dependencies(self.decision.calibration_checks()):
            images = tf.identity(images)
        return self.answer(pack_inputs(images, valid))

    def predict(self, x, *args, **kwargs):
        """Predicts as `keras.Model.predict`.

        Raises:
            InputError: Before the calibration, or for images out of range.
        """
        self.decision.require_calibration()
        check_arrays(x)
        with name_failed_checks():
            return super().predict(x, *args, **kwargs)

    def predict_on_batch(self, x):
        """Predicts as `keras.Model.predict_on_batch` does; see `predict`."""
        self.decision.require_calibration()
        check_arrays(x)
        with name_failed_checks():
            return super().predict_on_batch(x)

    def make_predict_function(self, force=False):
        """Makes the function of `predict` as Keras does, for any number of images."""
        if force or self.predict_function is None:
            super().make_predict_function(force)
            if not self.run_eagerly:
                self.predict_function = for_any_batch(self.predict_function)
        return self.predict_function

    def predict_step(self, data):
        """Returns the outputs for a batch; its callers have checked the calibration."""
        return self.answer(keras.utils.unpack_x_y_sample_weight(data)[0])

    def predict_stream(self, dataset, verbose: int = 0, title: str = "scoring"):
        """Yields `(outputs, inputs, targets)` batch by batch, in constant memory.

        The outputs are those of `call` as NumPy arrays. See `iterate_inputs` for the rest.
        """
        for inputs, targets in iterate_inputs(dataset, verbose, title):
            yield self.predict_on_batch(inputs), inputs, targets

    def score_on_batch(self, x) -> dict:
        """Returns `anomaly_map` and `anomaly_score` of `call`, which need no calibration."""
        check_arrays(x)
        with name_failed_checks():
            outputs = super().predict_on_batch(x)
        return {name: outputs[name] for name in SCORES}

    def score_stream(self, dataset, verbose: int = 0, title: str = "scoring"):
        """Yields `(outputs, inputs, targets)` as `predict_stream`, with scores and maps only."""
        for inputs, targets in iterate_inputs(dataset, verbose, title):
            yield self.score_on_batch(inputs), inputs, targets

    def export(self, *args, **kwargs):
        """Exports as `keras.Model.export`; refuses before the calibration."""
        self.decision.require_calibration()
        return super().export(*args, **kwargs)

    def call_eagerly(self, inputs) -> dict:
        """Returns `call`'s outputs as NumPy arrays, computed operation by operation.

        It is slow, but no graph optimizer can get it wrong.
        """
        outputs = self(keras.tree.map_structure(tf.convert_to_tensor, inputs))
        return {name: np.asarray(value) for name, value in outputs.items()}
