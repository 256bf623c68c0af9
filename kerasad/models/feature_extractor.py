"""The features of a frozen backbone as a model that trains nothing."""

import keras

from kerasad.data.geometry import unpack_inputs
from kerasad.errors import checked_image_shape
from kerasad.models.arguments import SMALLEST_SIDE
from kerasad.models.backbone_model import BackboneModel
from kerasad.precision import dtype_policy_scope


@keras.saving.register_keras_serializable(package="kerasad")
class FeatureExtractor(BackboneModel):
    """Standardized features of a pretrained network, for experts that need nothing else.

    It has no reconstruction, no attention and nothing to train: `adapt` measures mean and
    deviation of each channel on good images, and a detector of it learns the rest.

    Args:
        image_shape: `(height, width, 3)`, sides of at least 8 pixels.
        backbone: str. Name of the pretrained network, see `build_backbone`.
        taps: names of the backbone's features, or None for its own choice.
        backbone_weights: as `weights` of `build_backbone`. A saved model holds its weights and
            reads no file.
        backbone_architecture: as `architecture` of `build_backbone`. A saved model holds it.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1]; or a dict of `images`
            and `valid`, see `AnomalyModel.tensors`.

    Returns:
        features: float32 tensor `(batch, *cell_grid, channels)`, see `FeatureView`.

    Raises:
        InputError: For an argument of no use.

    Example:
    >>> model = kerasad.models.FeatureExtractor(data.image_shape)
    >>> model.adapt(data.train)
    >>> detector = kerasad.AnomalyDetector(model)
    """

    def __init__(
        self,
        image_shape,
        backbone="efficientnet_lite0",
        taps=None,
        backbone_weights="imagenet",
        backbone_architecture=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.image_shape = checked_image_shape(image_shape, SMALLEST_SIDE)
        self.choose_backbone(backbone, taps, backbone_weights, backbone_architecture)
        with dtype_policy_scope(self.dtype_policy):
            self.build_view()
        self(keras.Input(self.image_shape))

    def build(self, input_shape=None):
        """Does nothing: `__init__` has built everything."""

    def call(self, inputs):
        """Returns standardized features; see the class."""
        return self.view(*unpack_inputs(inputs))

    def tensors(self, inputs) -> dict:
        """Returns `FeatureView.tensors`."""
        return self.view.tensors(*unpack_inputs(inputs))
