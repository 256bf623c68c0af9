"""The detector: a trained model, its experts, their calibration and the decision, in one graph."""

import inspect
import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.data.geometry import pack_inputs, parse_image_size, resize_image, unpack_inputs
from kerasad.detector.adaptation import adapt_experts, calibrate_maps, draw_fusion_sample
from kerasad.detector.calibration import calibrate_detector, forget_calibration
from kerasad.detector.colour_scale import scale_level
from kerasad.detector.decision import ConformalDecision
from kerasad.detector.descriptors import make_descriptors
from kerasad.detector.expert_inputs import (
    check_experts,
    chosen_tensors,
    tensor_shapes,
    to_grid,
    to_size,
)
from kerasad.detector.experts import default_experts
from kerasad.detector.fusion import fuse
from kerasad.detector.map_calibration import build_map_calibration
from kerasad.detector.streaming import iterate_inputs
from kerasad.detector.summary import summarize
from kerasad.detector.tiling import TileGrid
from kerasad.errors import InputError, check_at_least
from kerasad.layers import GaussianBlur
from kerasad.layers.content_grid import SMOOTHING, enlarge_maps
from kerasad.models.health import assert_unit_range, name_failed_checks


@keras.saving.register_keras_serializable(package="kerasad")
class AnomalyDetector(keras.Model):
    """Maps, scores and decisions for images, each a function of one image and saved state.

    One `call` resizes, cuts tiles, runs the trained model once, lets every expert make a map,
    smooths and standardizes the maps, adds them up and decides; `predict`, evaluation, export and
    serving all run it. The `anomaly_score` is the maximum of the sum of maps standardized place by
    place; the `anomaly_map` is the sum of the mean of these and of maps standardized over all
    places. Each sum has weights of its own, see `kerasad.detector.fusion.fuse`.

    Maps of a model that works on cells (`model.cell_grid`, such as a `VAEGAN` on a backbone) are
    standardized and added up cell by cell, and only the sums are enlarged, by a Gaussian window
    that smooths them. Its cells follow the real part of padded images, so that places keep their
    meaning there. Tiles are put together pixel by pixel.

    Args:
        model: trained model with `image_shape` and `tensors(images)`, such as `VAEGAN`. The
            detector keeps a copy, so that further training changes nothing that was calibrated.
        experts: list of `Expert` layers; or a function `(shapes, position_free)` that makes one,
            see `default_experts`, which stands for None.
        image_size: `(height, width)` that images are brought to. Defaults to the model's. If it
            is larger, images are cut into tiles of the model's size.
        overlap: int. Pixels that neighbouring tiles share at least.
        keep_aspect: bool. Whether images are padded instead of stretched, see `resize_image`.
        smoothing: float or None. Sigma of the Gaussian that smooths maps, in pixels. Defaults to
            a 64th of the side of a tile's area, or to 0.6 cells.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1] of any size; or a dict
            with `images` and `valid` (`(batch, height, width, 1)`, 0 where padded).

    Returns:
        dict of `anomaly_map` `(batch, height, width, 1)` (unbounded, about 0 on good images),
        `anomaly_score` `(batch,)`, `p_value` `(batch,)` in (0, 1], `is_anomalous` and
        `needs_review` (bool `(batch,)`; without a review band, nothing needs review),
        `threshold`, `review_threshold` and `pixel_threshold` `(batch,)`, `attention_map`
        `(batch, height, width, 1)` in [0, 1]. The last is the anomaly map on a fixed scale (see
        `ColourScale`) if the model has no attention.

    Raises:
        InputError: If there is no expert, two have one name, or one needs a tensor that the model
            does not have; if a size is wrong; if images are not of a float type.
    """

    def __init__(
        self,
        model,
        experts=None,
        image_size=None,
        overlap=32,
        keep_aspect=False,
        smoothing=None,
        **kwargs,
    ):
        # Images in half precision would lose digits that distances need.
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.model = model.__class__.from_config(model.get_config())
        self.model.set_weights(model.get_weights())
        tile_size = tuple(model.image_shape[:2])
        self.image_size = tile_size if image_size is None else parse_image_size(image_size)
        self.overlap = overlap
        self.keep_aspect = keep_aspect
        self.tiles = None
        if self.image_size != tile_size:
            self.tiles = TileGrid(self.image_size, tile_size, overlap)
        self.cell_grid = None if self.tiles else getattr(self.model, "cell_grid", None)
        self.position_free = self.tiles is not None or (keep_aspect and self.cell_grid is None)
        shapes = tensor_shapes(self.model)
        self._has_attention = "attention_map" in shapes
        make_experts = default_experts if experts is None else experts
        self.experts = (
            make_experts(shapes, self.position_free) if callable(make_experts) else experts
        )
        check_experts(self.experts, shapes)
        for expert in self.experts:
            if not expert.built:
                expert.build({name: shapes[name] for name in expert.requires})
        check_at_least("smoothing", 0 if smoothing is None else smoothing, 0)
        if self.cell_grid is None:
            self.smoothing = (
                math.sqrt(math.prod(tile_size)) / 64 if smoothing is None else smoothing
            )
            self.blur = GaussianBlur(self.smoothing, dtype="float32")
        else:
            cell = math.sqrt(math.prod(tile_size) / math.prod(self.cell_grid))
            self.smoothing = SMOOTHING * cell if smoothing is None else smoothing
            # A window much smaller than a cell would show the cells.
            self._cell_smoothing = max(self.smoothing / cell, 0.4)
        self.map_calibration = build_map_calibration(
            self.image_size, self.cell_grid, len(self.experts), self.keep_aspect
        )
        self.decision = ConformalDecision(dtype="float32")
        self.decision.build()
        self.descriptors = make_descriptors(shapes)
        self._add_state()
        self(keras.Input((*self.image_size, 3)))

    def _add_state(self):
        def state(name, value, shape=(), dtype="float32"):
            def initial(shape, dtype):  # `Constant` would round it to float32
                return ops.full(shape, value, dtype)

            return self.add_weight(shape, initial, dtype=dtype, name=name, autocast=False)

        count = len(self.experts)
        self.fusion_weights = state("fusion_weights", 1.0 / count, (count,))
        self.score_weights = state("score_weights", 1.0 / count, (count,))
        self._pixel_threshold = state("pixel_threshold", np.inf)
        # The rule's rank must come out the same from the stored rate: all its digits count.
        self._pixel_rate = state("pixel_rate", 0.005, dtype="float64")
        self._requested_rate = state("requested_rate", 0.05, dtype="float64")
        self._on_crops = state("on_crops", 0.0)

    def build(self, input_shape=None):
        """Does nothing: `__init__` has built everything."""

    def call(self, inputs):
        """Returns map, score and decision; see the class."""
        images, valid = self.prepare(inputs)
        maps, attention_map = self.expert_maps(images, valid)
        pixel_maps, place_maps = self.map_calibration(maps)
        weights, score_weights = (
            ops.reshape(state, (-1, 1)) for state in (self.fusion_weights, self.score_weights)
        )
        # Each enlarged on its own: one that nobody asks for takes no time.
        anomaly_map = self.enlarge(ops.matmul(pixel_maps, weights), valid)
        place_map = self.enlarge(ops.matmul(place_maps, score_weights), valid)
        if attention_map is None:
            attention_map = scale_level(anomaly_map, self._pixel_threshold)
        else:
            attention_map = self.enlarge(attention_map, valid)
        if valid is not None:
            place_map = ops.where(valid > 0.5, place_map, -np.inf)
        score = ops.max(place_map, axis=(1, 2, 3))
        return {
            "anomaly_map": anomaly_map,
            "anomaly_score": score,
            **self.decision(score),
            "pixel_threshold": ops.broadcast_to(self._pixel_threshold, ops.shape(score)),
            "attention_map": attention_map,
        }

    def prepare(self, inputs):
        """Returns images of the detector's size, and their validity or None."""
        images, valid = unpack_inputs(inputs)
        if images.shape[-1] != 3:
            raise InputError(
                f"Images must be (batch, height, width, 3). Received: {tuple(images.shape)}; "
                "repeat a grey channel three times."
            )
        with tf.control_dependencies([assert_unit_range(images)]):
            images = tf.identity(images)
        if tuple(images.shape[1:3]) == self.image_size:
            return images, valid
        if valid is not None:
            raise InputError(
                f"Padded images must have the detector's size {self.image_size}. "
                f"Received: {tuple(images.shape[1:3])}"
            )
        return resize_image(images, *self.image_size, keep_aspect=self.keep_aspect)

    def predict(self, *args, **kwargs):
        """Predicts as `keras.Model.predict` does; images out of range are told in one sentence."""
        with name_failed_checks():
            return super().predict(*args, **kwargs)

    def predict_on_batch(self, x):
        """Predicts as `keras.Model.predict_on_batch` does; see `predict`."""
        with name_failed_checks():
            return super().predict_on_batch(x)

    def call_eagerly(self, inputs) -> dict:
        """Returns `call`'s outputs as numpy arrays, computed operation by operation.

        Slow, and free of what a graph optimizer may get wrong: what compiled calls are checked by.
        """
        with name_failed_checks():
            outputs = self(keras.tree.map_structure(tf.convert_to_tensor, inputs))
        return {name: np.asarray(value) for name, value in outputs.items()}

    def expert_maps(self, images, valid=None):
        """Returns every expert's map before calibration, and the model's attention.

        Args:
            images: float tensor `(batch, height, width, 3)` of the detector's size.
            valid: float tensor `(batch, height, width, 1)` or None, 0 where padded.

        Returns:
            maps: float32 tensor `(batch, h, w, experts)`; `(h, w)` is the detector's `cell_grid`,
                or, where it has none, the size of the images, and maps are smoothed.
            attention_map: float32 tensor `(batch, h, w, 1)` in [0, 1], or None if the model has
                no attention.
        """
        if self.cell_grid is not None:
            tensors = self.model.tensors(pack_inputs(images, valid))
            parts = [expert(chosen_tensors(tensors, expert)) for expert in self.experts]
            maps = ops.concatenate([to_grid(part, self.cell_grid) for part in parts], axis=-1)
            attention_map = tensors.get("attention_map")
            if attention_map is not None:
                attention_map = to_grid(attention_map, self.cell_grid)
            return maps, attention_map
        size, count = self.model.image_shape[:2], len(self.experts)
        if self.tiles is None:
            stacked = self._stacked_maps(images, size)
        else:
            # One tile after the other, so that memory is bound.
            shape = (None, *size, count + self._has_attention)
            stacked = self.tiles.map(lambda tile: self._stacked_maps(tile, size), images, shape)
        attention_map = stacked[..., count:] if self._has_attention else None
        return self.blur(stacked[..., :count]), attention_map

    def _stacked_maps(self, inputs, size):
        """Returns the experts' maps, and the attention if any, of the model's own images."""
        tensors = self.model.tensors(inputs)
        parts = [to_size(expert(chosen_tensors(tensors, expert)), size) for expert in self.experts]
        if self._has_attention:
            parts.append(to_size(tensors["attention_map"], size, "bilinear"))
        return ops.concatenate(parts, axis=-1)

    def enlarge(self, maps, valid=None):
        """Returns maps `(batch, h, w, n)` of `expert_maps`' size as maps of the images' size."""
        if self.cell_grid is None:
            return maps
        return enlarge_maps(maps, self.image_size, valid, self._cell_smoothing)

    def reconstruct(self, inputs):
        """Returns the model's reconstruction, float32 `(batch, height, width, 3)`, or None.

        `call` leaves it out, since a decision does not need it. Small pictures are enlarged. None
        stands for a model that reconstructs nothing.

        Args:
            inputs: as of `call`.
        """
        images, valid = self.prepare(inputs)
        size = self.model.image_shape[:2]

        def picture(inputs):
            found = self.model.reconstruct(inputs)
            return None if found is None else to_size(found, size, "bilinear")

        if self.tiles is None:
            return picture(images if self.cell_grid is None else pack_inputs(images, valid))
        if picture(images[:1, : size[0], : size[1]]) is None:
            return None
        return self.tiles.map(picture, images, (None, *size, 3))

    def adapt(
        self,
        train,
        validation,
        *,
        on_crops: bool = False,
        num_defects: int = 128,
        seed: int = 0,
        verbose: int = 1,
    ) -> None:
        """Fits the experts to good images, and scales and fusion weights to others.

        Args:
            train: dataset of inputs of the model's size (crops, if the detector cuts tiles).
            validation: dataset of inputs as of `call` that trained nothing.
            on_crops: bool. Whether all validation images are crops of one photo, as
                `category.split.calibration_on_crops` says. No gain is then known to be sure.
            num_defects: int. Synthetic defects that the weights are chosen on, about; fewer on
                large images.
            seed: int. Seed of these defects.
            verbose: 0 or 1. Whether to show progress.

        Raises:
            InputError: If a dataset is empty or can be read only once, or `train` has images of
                another size, or padded ones without `keep_aspect`.
        """
        adapt_experts(self, train, verbose)
        calibrate_maps(self, validation, verbose)
        sample = draw_fusion_sample(self, validation, seed, num_defects, verbose, on_crops)
        weights, score_weights = fuse(sample, [expert.degrees for expert in self.experts])
        self.fusion_weights.assign(weights.astype("float32"))
        self.score_weights.assign(score_weights.astype("float32"))
        forget_calibration(self)

    def calibrate(self, calibration=None, false_alarm_rate: float = 0.05, **options) -> dict:
        """Sets the thresholds from good images that nothing else has seen.

        Args:
            calibration: dataset of inputs of good images; None keeps the stored scores and the
                pixel threshold, and only changes the rates.
            false_alarm_rate: float in (0, 1). Share of good images that may be called defective.
            **options: `review_rate`, `pixel_rate`, `strict`, `on_crops` and `verbose`, see
                `kerasad.detector.calibration.calibrate_detector`.

        Returns:
            summary: dict, see `calibration_summary`.

        Raises:
            InputError: For rates out of range or order, no image, or, if `strict`, too few images
                or crops of one.
        """
        calibrate_detector(self, calibration, false_alarm_rate, **options)
        return self.calibration_summary()

    def predict_stream(self, dataset, verbose: int = 0, title: str = "scoring"):
        """Yields `(outputs, inputs, targets)` batch by batch, in constant memory.

        Args:
            dataset: iterable of inputs, or of pairs of inputs and targets.
            verbose: 0 or 1. Whether to show progress.
            title: str. Shown before the progress bar.

        Yields:
            outputs: dict of numpy arrays, as `call` returns them.
            inputs: as in the dataset.
            targets: as in the dataset, or None.
        """
        for inputs, targets in iterate_inputs(dataset, verbose, title):
            yield self.predict_on_batch(inputs), inputs, targets

    @property
    def threshold(self) -> float:
        """Images with a score strictly above it are called defective; inf before `calibrate`."""
        return float(self.decision.threshold)

    @property
    def review_threshold(self) -> float:
        """Images above it that are not defective are to be looked at; see `calibrate`."""
        return float(self.decision.review_threshold)

    @property
    def pixel_threshold(self) -> float:
        """Pixels of the `anomaly_map` strictly above it are marked; inf before `calibrate`."""
        return float(self._pixel_threshold)

    def calibration_summary(self) -> dict:
        """Returns what `calibrate` found, ready for JSON; see `kerasad.detector.summary`."""
        return summarize(self)

    def get_config(self):
        """Returns the arguments of `__init__`, model and experts serialized."""
        own = inspect.signature(AnomalyDetector.__init__).parameters
        config = {name: getattr(self, name) for name in own if name not in ("self", "kwargs")}
        config["model"] = keras.saving.serialize_keras_object(self.model)
        config["experts"] = [keras.saving.serialize_keras_object(e) for e in self.experts]
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config):
        """Creates a detector from `get_config`."""
        config = dict(config)
        config["model"] = keras.saving.deserialize_keras_object(config["model"])
        config["experts"] = [keras.saving.deserialize_keras_object(e) for e in config["experts"]]
        return cls(**config)
