"""A model that has seen all its images before: its tensors come from memory."""

from itertools import chain

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import unpack_inputs
from kerasad.losses import scale_slices
from kerasad.models import FeatureExtractor
from kerasad.models.base import AnomalyModel

_MOST = 2**16


class CachedModel(AnomalyModel):
    """Tensors of a `FeatureExtractor`, computed once for all images that will ever be asked for.

    Fits and predictions with many parts of the images then need no backbone. An "image" of it is
    the number of an image, see `images_of`. Means and deviations of channels are those of all
    images: experts measure the statistics of these channels anew in each fit.

    Args:
        extractor: `FeatureExtractor`, adapted.
        batches: iterable of model inputs: arrays of images.
    """

    def __init__(self, extractor: FeatureExtractor, batches):
        super().__init__()
        self.image_shape = extractor.image_shape
        self.cell_grid = extractor.cell_grid
        self._slices = scale_slices(extractor.view.scales)
        compute = tf.function(extractor.tensors, reduce_retracing=True)
        parts = []
        for images in batches:
            made = compute(images)
            # The channels of one tap are a part of `features`.
            parts.append({name: made[name] for name in made if not name.startswith("features_")})
        self._rows = {
            name: tf.Variable(np.concatenate([part[name] for part in parts]), trainable=False)
            for name in parts[0]
        }
        self.count = self._rows["features"].shape[0]

    def images_of(self, numbers) -> np.ndarray:
        """Returns inputs that stand for the images of these numbers, `(n, height, width, 3)`."""
        numbers = np.asarray(numbers, "float32").reshape(-1, 1, 1, 1)
        return np.broadcast_to(numbers / _MOST, (len(numbers), *self.image_shape))

    def tensors(self, inputs):
        """Returns the cached tensors of the images that the inputs stand for."""
        images, _ = unpack_inputs(inputs)
        numbers = tf.cast(tf.round(images[:, 0, 0, 0] * _MOST), tf.int32)
        tensors = {name: tf.gather(rows, numbers) for name, rows in self._rows.items()}
        for number, channels in enumerate(self._slices, start=1):
            tensors[f"features_{number}"] = tensors["features"][..., channels]
        return tensors

    def call(self, inputs):
        """Returns the features."""
        return self.tensors(inputs)["features"]


def open_cached_detector(data: str, image_size: str, with_test: bool = False):
    """Returns a `feature_statistics` detector of the cached images of a category, and the category.

    One detector serves all fits: its graphs are traced once.

    Args:
        data: a category.
        image_size: as of the command line.
        with_test: bool. Whether test images follow the good ones.

    Raises:
        SystemExit: If the images have several shapes.
    """
    from kerasad import AnomalyDetector
    from kerasad.detector.experts import feature_statistics_experts
    from kerasad.training.building import open_category
    from kerasad.training.config import DataConfig, ModelConfig, RunConfig

    config = RunConfig(DataConfig(data, image_size), ModelConfig("feature_statistics"))
    category = open_category(config)
    if category.keep_aspect:
        raise SystemExit(f"{data}: images of several shapes are not measured here.")
    extractor = FeatureExtractor(category.image_shape)
    extractor.adapt(category.train_in_order)
    test = (images for images, _ in category.test) if with_test else ()
    model = CachedModel(extractor, chain(category.train_in_order, test))
    return AnomalyDetector(model, feature_statistics_experts, copy_model=False), category
