"""The angle between an image's features and the features that a model restores."""

import keras
from keras import ops

from kerasad.detector.experts.base import Expert


@keras.saving.register_keras_serializable(package="kerasad")
class FeatureResidual(Expert):
    """Mean over scales of `1 - cos` of the angle between features and restored features.

    The direction of a cell's features says what is there, their length follows brightness and
    contrast. `FeatureReconstructionLoss` trains a model for this measure.

    Args:
        scales: list of ints from 1 on. Scales used: taps of the backbone, finest first.

    Returns:
        anomaly_map: `(batch, h, w, 1)` in [0, 2].

    Reference: Deng and Li, "Anomaly Detection via Reverse Distillation from One-Class Embedding",
    CVPR 2022, equation 1; there the angles of scales are summed, at their own resolutions.
    """

    requires = ("restored_angles",)

    def __init__(self, scales=(1,), **kwargs):
        super().__init__(**kwargs)
        self.scales = [int(scale) for scale in scales]

    @property
    def degrees(self):
        """One angle for each scale."""
        return len(self.scales)

    @property
    def rates_images(self):
        """True: the angle assumes nothing of defects but that they are not restored."""
        return True

    @staticmethod
    def scales_of(shapes) -> list[int]:
        """Returns the scales that a model with tensors of these shapes has, none if it has none."""
        return list(range(1, 1 + shapes.get("restored_angles", (0,))[-1]))

    def available(self, shapes):
        """Returns whether the model has all scales."""
        return set(self.scales) <= set(self.scales_of(shapes))

    def call(self, tensors):
        """Returns the map; see the class."""
        angles = ops.take(tensors["restored_angles"], [s - 1 for s in self.scales], axis=-1)
        return ops.mean(angles, axis=-1, keepdims=True)
