"""What the models that see images through a frozen backbone have in common."""

from kerasad.models.base import AnomalyModel
from kerasad.models.feature_view import FeatureView


class BackboneModel(AnomalyModel):
    """Base class of models on a backbone's features; `__init__` calls both methods below.

    Attributes:
        view: `FeatureView`.
    """

    def choose_backbone(self, backbone, taps, weights, architecture) -> None:
        """Keeps the arguments, which `build_view` reads; see `FeatureExtractor`."""
        self.backbone = backbone
        self.taps = None if taps is None else list(taps)
        self.backbone_weights = weights
        self.backbone_architecture = architecture

    def build_view(self) -> None:
        """Creates the view, which decides on the grid of cells."""
        options = (self.image_shape, self.taps, self.backbone_weights, self.backbone_architecture)
        self.view = FeatureView(self.backbone, *options, name="view")
        self.view.build()
        self.backbone_architecture = self.view.architecture
        self.cell_grid = self.view.grid

    @property
    def remark(self) -> str | None:
        """How the backbone sees images, see `FeatureView`."""
        return self.view.remark

    def adapt(self, data, max_images: int = 1024) -> None:
        """Measures mean and deviation of the features, see `FeatureView.adapt`."""
        self.view.adapt(data, max_images)

    @classmethod
    def from_config(cls, config):
        """Creates a model from `get_config`, with random weights: a saved model brings its own."""
        model = super().from_config({**config, "backbone_weights": None})
        model.backbone_weights = config.get("backbone_weights")
        return model
