"""How far the features that a model restores have turned from the image's."""

import itertools

import keras

from kerasad.detector.experts.base import Expert
from kerasad.losses import cosine_distance


@keras.saving.register_keras_serializable(package="kerasad")
class FeatureResidual(Expert):
    """Mean over scales of the angle between features and restored features, `1 - cos`.

    A cell's features turn where something is that good images do not have, while their length
    follows brightness and contrast; see `FeatureReconstructionLoss`, which trains for it.

    Args:
        scales: list of ints from 1 on. The scales (taps of the backbone, finest first) that count.

    Returns:
        anomaly_map: `(batch, h, w, 1)` in [0, 2].

    Reference: Deng and Li, "Anomaly Detection via Reverse Distillation from One-Class Embedding",
    CVPR 2022, equation 1; there the angles of scales are summed, at their own resolutions.
    """

    def __init__(self, scales=(1,), **kwargs):
        super().__init__(**kwargs)
        self.scales = [int(scale) for scale in scales]

    @property
    def requires(self):
        """Features and restored features of each scale."""
        return tuple(
            itertools.chain.from_iterable(
                (f"features_{scale}", f"restored_features_{scale}") for scale in self.scales
            )
        )

    @property
    def degrees(self):
        """One angle for each scale."""
        return len(self.scales)

    @staticmethod
    def scales_of(shapes) -> list[int]:
        """Returns the scales that a model with tensors of these shapes has, none if it has none."""
        scales = itertools.count(1)
        return list(itertools.takewhile(lambda s: f"restored_features_{s}" in shapes, scales))

    def call(self, tensors):
        """Returns the map; see the class."""
        angles = [
            cosine_distance(tensors[f"features_{scale}"], tensors[f"restored_features_{scale}"])
            for scale in self.scales
        ]
        return sum(angles) / len(angles)

    def get_config(self):
        """Returns the arguments of `__init__`."""
        return {**super().get_config(), "scales": self.scales}
