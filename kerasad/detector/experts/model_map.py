"""The map that a model makes by itself."""

import keras

from kerasad.detector.experts.base import Expert


@keras.saving.register_keras_serializable(package="kerasad")
class ModelMap(Expert):
    """The anomaly map of the model itself: the score of a published method, place by place.

    Returns `(batch, h, w, 1)`, at the resolution of the model's map.
    """

    requires = ("anomaly_map",)

    def call(self, tensors):
        """Returns the map; see the class."""
        return tensors["anomaly_map"]
