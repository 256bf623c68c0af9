"""The detector: a trained model, its experts, their calibration and the decision, in one graph."""

import inspect

import keras
import numpy as np
from keras import ops

from kerasad.data.geometry import Geometry, parse_image_size
from kerasad.data.provenance import Provenance
from kerasad.detector.decision import ConformalDecision
from kerasad.detector.expert_maps import ExpertMaps
from kerasad.detector.frames import prepare_images
from kerasad.detector.learning import LearningModel
from kerasad.detector.map_calibration import build_map_calibration
from kerasad.detector.region import RegionOfInterest
from kerasad.layers.cells import counting
from kerasad.overlay import scale_level, scale_low
from kerasad.precision import add_state


@keras.saving.register_keras_serializable(package="kerasad")
class AnomalyDetector(LearningModel):
    """Maps, scores and decisions for images, each a function of one image and saved state.

    One `call` resizes, cuts tiles, runs the trained model once, lets every expert make a map,
    smooths and standardizes the maps, adds them up and decides; `predict`, evaluation, export and
    serving all run it. The `anomaly_score` is the maximum of the sum of maps standardized place by
    place. The `anomaly_map` is the sum of the mean of these and of maps standardized over all
    places. Each sum has weights of its own, see `kerasad.detector.fusion.fuse`.

    Where a model works on cells (`model.cell_grid`), maps are standardized and added up cell by
    cell, and only the sums are enlarged, by a Gaussian window that smooths them. The cells follow
    the real part of padded images, so that places keep their meaning. Tiles are merged by pixel.

    Args:
        model: trained `AnomalyModel`. The detector keeps a copy, so that further training changes
            nothing that was calibrated, unless `copy_model` is False.
        experts: list of `Expert` layers; or a function of `(shapes, position_free)` that makes one,
            such as `feature_memory_experts`. Defaults to `default_experts`.
        image_size: `(height, width)` that images are brought to. Defaults to the model's. If it
            is larger, images are cut into tiles of the model's size.
        overlap: int. Pixels that neighbouring tiles share at least.
        keep_aspect: bool. Whether images are padded instead of stretched, see `resize_image`.
        smoothing: float or None. Sigma of the Gaussian that smooths maps, in pixels. Defaults to
            a 64th of the side of a tile's area, or to 0.6 cells.
        roi: the region of interest; what is outside is painted over and counts nowhere. An array
            `(height, width)` of any size, nonzero = inside, is the region of all images, relative
            to each, and is saved with the detector. `"each"`: every image brings its own in
            `valid`. None: every pixel counts. See `RegionOfInterest`.
        copy_model: bool. Without a copy, the model belongs to the detector from now on.
        provenance: `Provenance`, or what its `to_dict` gives: the images that made the detector,
            see `record_images`.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1] of any size; or a dict
            with `images` and `valid` (`(batch, height, width, 1)`: 1 = counts, 0 = padding,
            0.5 = outside the region of interest).

    Returns:
        dict of `anomaly_map` `(batch, height, width, 1)` (unbounded, about 0 on good images),
        `anomaly_score` `(batch,)`, `p_value` `(batch,)` in (0, 1], `is_anomalous` and
        `needs_review` (bool `(batch,)`; nothing does without a review band), `threshold`,
        `review_threshold` and `pixel_threshold` `(batch,)`, and `attention_map` `(batch, height,
        width, 1)` in [0, 1]. A model without attention has in its place the anomaly map on its
        `ColourScale`: 0.5 at the pixel threshold.

    Raises:
        InputError: If there is no expert, two have one name, or one needs a tensor that the model
            does not have; if a size is wrong; if images are not of a float type. Before
            `calibrate`, every call: nothing can be decided yet, see `score_on_batch`. Inside a
            `tf.function` that is an assertion with the same sentence.
    """

    def __init__(
        self,
        model,
        experts=None,
        image_size=None,
        overlap=32,
        keep_aspect=False,
        smoothing=None,
        roi=None,
        copy_model=True,
        provenance=None,
        **kwargs,
    ):
        # Images in half precision would lose digits that distances need.
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        size = model.image_shape[:2] if image_size is None else image_size
        self.image_size = size = parse_image_size(size)
        self.overlap = overlap
        self.keep_aspect = keep_aspect
        if copy_model:
            copy = model.__class__.from_config(model.get_config())
            copy.set_weights(model.get_weights())
            model = copy
        self.region = None if roi is None else RegionOfInterest(size, roi)
        options = (overlap, keep_aspect, smoothing, self.region)
        self.expert_maps = ExpertMaps(model, experts, size, *options)
        self.smoothing = self.frame.smoothing
        self.provenance = Provenance.of(provenance)
        count = len(self.experts)
        self.map_calibration = build_map_calibration(
            size, self.frame.cell_grid, self.experts, keep_aspect
        )
        self.fusion_weights = add_state(self, "fusion_weights", (count,), 1.0 / count)
        self.score_weights = add_state(self, "score_weights", (count,), 1.0 / count)
        # See `summarize_tuning`.
        self.tuning = add_state(self, "tuning", (4,))
        self.decision = ConformalDecision(dtype="float32")
        self.decision.build()
        # Called on symbolic images, it would be traced for nothing but this shape.
        self.build((None, *self.image_size, 3))

    def build(self, input_shape=None):
        """Does nothing: `__init__` has built everything."""

    @property
    def model(self):
        """The detector's copy of the model."""
        return self.expert_maps.model

    @property
    def experts(self) -> list:
        """The experts, in the order of their weights."""
        return self.expert_maps.experts

    @property
    def descriptors(self):
        """`CalibrationDescriptors` of the images that set the thresholds."""
        return self.expert_maps.descriptors

    @property
    def frame(self):
        """`PixelFrame`: how images reach the model and where maps live."""
        return self.expert_maps.frame

    @property
    def roi(self) -> str | None:
        """`"all"` or `"each"`, see `RegionOfInterest`, or None."""
        return None if self.region is None else self.region.roi

    @property
    def tiles(self):
        """`TileGrid`, or None if images are not cut."""
        return self.frame.tiles

    def answer(self, inputs):
        """Returns what `call` does, calibrated or not."""
        images, valid = self.prepare(inputs)
        maps, attention = self.expert_maps(images, valid)
        anomaly_map, score = self.combine(self.map_calibration, maps, valid)
        if attention is None:
            attention = scale_level(anomaly_map, self.decision.pixel_threshold)
        else:
            attention = self._inside(self.frame.enlarge(attention, valid), valid, 0.0)
        return {
            "anomaly_map": anomaly_map,
            "anomaly_score": score,
            **self.decision(score),
            "attention_map": attention,
        }

    def combine(self, map_calibration, maps, valid=None) -> tuple:
        """Returns the `anomaly_map` and the `anomaly_score` of the experts' maps.

        Args:
            map_calibration: built `MapCalibration` that standardizes them.
            maps: tensor `(batch, h, w, experts)`, see `ExpertMaps`.
            valid: tensor `(batch, height, width, 1)` or None, see `prepare`.
        """
        pixel_maps, place_maps = map_calibration(maps)
        weights, score_weights = (
            ops.reshape(state, (-1, 1)) for state in (self.fusion_weights, self.score_weights)
        )
        # Each is enlarged on its own: one that nobody asks for takes no time.
        anomaly_map = self.frame.enlarge(ops.matmul(pixel_maps, weights), valid)
        place_map = self.frame.enlarge(ops.matmul(place_maps, score_weights), valid)
        if valid is not None:
            place_map = ops.where(counting(valid) > 0, place_map, -np.inf)
        return self._inside(anomaly_map, valid), ops.max(place_map, axis=(1, 2, 3))

    def _inside(self, maps, valid, outside=None):
        """Returns maps with a value outside the region of interest, if there is one.

        By default it is the darkest on the colour scale, which is never above the threshold.
        """
        if self.region is None:
            return maps
        if outside is None:
            outside = scale_low(ops.convert_to_tensor(self.decision.pixel_threshold))
        return ops.where(counting(valid) > 0, maps, outside)

    def explain(self, inputs) -> dict:
        """Returns what an anomaly map is made of, calibrated or not; `call` leaves it out.

        Returns:
            dict of `anomaly_map` as of `call`; `expert_maps` `(batch, height, width, experts)`, the
            map of each expert in spreads of good pixels, whose sum with `fusion_weights` is the
            `anomaly_map`; and the model's `reconstruction`, or None.
        """
        images, valid = self.prepare(inputs)
        maps, _ = self.expert_maps(images, valid)
        maps = self.frame.enlarge(self.map_calibration(maps)[0], valid)
        maps = self._inside(maps, valid, 0.0)
        anomaly_map = ops.matmul(maps, ops.reshape(self.fusion_weights, (-1, 1)))
        return {
            "anomaly_map": self._inside(anomaly_map, valid),
            "expert_maps": maps,
            "reconstruction": self.frame.reconstruct(self.model, images, valid),
        }

    def prepare(self, inputs):
        """Returns images of the detector's size without what is outside, and `valid` or None."""
        images, valid = prepare_images(inputs, self.image_size, self.keep_aspect)
        return (images, valid) if self.region is None else self.region(images, valid)

    def reconstruct(self, inputs):
        """Returns the model's reconstruction `(batch, height, width, 3)`, or None if it makes none.

        `call` leaves it out, since a decision does not need it.
        """
        return self.frame.reconstruct(self.model, *self.prepare(inputs))

    @property
    def geometry(self) -> Geometry:
        """The frame that images are brought to."""
        return Geometry(*self.image_size, keep_aspect=self.keep_aspect)

    @property
    def threshold(self) -> float:
        """Images with a score strictly above it are called defective; inf before `calibrate`."""
        return float(self.decision.threshold)

    @property
    def review_threshold(self) -> float:
        """Images above it that are not defective need review; see `calibrate`."""
        return float(self.decision.review_threshold)

    @property
    def pixel_threshold(self) -> float:
        """Pixels of the `anomaly_map` strictly above it are marked; inf before `calibrate`."""
        return float(self.decision.pixel_threshold)

    def get_config(self):
        """Returns the arguments of `__init__`, model and experts serialized."""
        own = inspect.signature(AnomalyDetector.__init__).parameters
        left_out = ("self", "copy_model", "provenance", "kwargs")
        config = {name: getattr(self, name) for name in own if name not in left_out}
        config["model"] = keras.saving.serialize_keras_object(self.model)
        config["experts"] = [keras.saving.serialize_keras_object(e) for e in self.experts]
        config["provenance"] = self.provenance.to_dict()
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config):
        """Creates a detector from `get_config`."""
        config = dict(config)
        config["model"] = keras.saving.deserialize_keras_object(config["model"])
        config["experts"] = [keras.saving.deserialize_keras_object(e) for e in config["experts"]]
        return cls(**config, copy_model=False)
