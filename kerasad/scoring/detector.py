"""The detector: a trained model, its experts, their calibration and the decision, in one graph."""

import inspect
import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasad.data.geometry import parse_image_size, resize_image, unpack_inputs
from kerasad.errors import InputError, check_at_least
from kerasad.layers import GaussianBlur
from kerasad.models.health import assert_unit_range, name_failed_checks
from kerasad.scoring.adaptation import adapt_experts, calibrate_maps, draw_fusion_sample
from kerasad.scoring.calibration import calibrate_detector, forget_calibration
from kerasad.scoring.conformal import ConformalDecision
from kerasad.scoring.descriptors import make_descriptors
from kerasad.scoring.expert_inputs import (
    check_experts,
    chosen_tensors,
    refuse_backbone,
    tensor_shapes,
    to_size,
)
from kerasad.scoring.experts import default_experts
from kerasad.scoring.fusion import choose_weights
from kerasad.scoring.map_calibration import MapCalibration
from kerasad.scoring.streaming import iterate_inputs
from kerasad.scoring.summary import summarize
from kerasad.scoring.tiling import TileGrid


@keras.saving.register_keras_serializable(package="kerasad")
class AnomalyDetector(keras.Model):
    """Maps, scores and decisions for images, each a function of one image and saved state.

    One `call` resizes, cuts tiles, runs the trained model once, lets every expert make a map,
    smooths and standardizes the maps, adds them up and decides; `predict`, evaluation, export and
    serving all run it. The `anomaly_score` is the maximum of the sum of maps standardized place by
    place; the `anomaly_map` is the same sum of the mean of that and of maps standardized over all
    places.

    Args:
        model: trained model with `image_shape` and `tensors(images)`, such as `VAEGAN`. The
            detector keeps a copy, so that further training changes nothing that was calibrated.
        experts: list of `Expert` layers, or None for one of each that the model can serve.
        image_size: `(height, width)` that images are brought to. Defaults to the model's. If it
            is larger, images are cut into tiles of the model's size.
        overlap: int. Pixels that neighbouring tiles share at least.
        keep_aspect: bool. Whether images are padded instead of stretched, see `resize_image`.
        smoothing: float or None. Sigma of the Gaussian that smooths every map, in pixels.
            Defaults to a 64th of the side of a tile's area.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1] of any size; or a dict
            with `images` and `valid` (`(batch, height, width, 1)`, 0 where padded).

    Returns:
        dict of `anomaly_map` `(batch, height, width, 1)` (unbounded, about 0 on good images),
        `anomaly_score` `(batch,)`, `p_value` `(batch,)` in (0, 1], `is_anomalous` and
        `needs_review` (bool `(batch,)`; without a review band, nothing needs review),
        `threshold`, `review_threshold` and `pixel_threshold` `(batch,)`, `attention_map`
        `(batch, height, width, 1)` in [0, 1] and `reconstruction` `(batch, height, width, 3)`.

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
        refuse_backbone(getattr(model, "backbone", None))
        self.model = model.__class__.from_config(model.get_config())
        self.model.set_weights(model.get_weights())
        tile_size = tuple(model.image_shape[:2])
        self.image_size = tile_size if image_size is None else parse_image_size(image_size)
        self.overlap = overlap
        self.keep_aspect = keep_aspect
        self.tiles = None
        if self.image_size != tile_size:
            self.tiles = TileGrid(self.image_size, tile_size, overlap)
        self.position_free = keep_aspect or self.tiles is not None
        shapes = tensor_shapes(self.model)
        self.experts = default_experts(shapes, self.position_free) if experts is None else experts
        check_experts(self.experts, shapes)
        for expert in self.experts:
            if not expert.built:
                expert.build({name: shapes[name] for name in expert.requires})
        self.smoothing = math.sqrt(math.prod(tile_size)) / 64 if smoothing is None else smoothing
        check_at_least("smoothing", self.smoothing, 0)
        self.blur = GaussianBlur(self.smoothing, dtype="float32")
        self.map_calibration = MapCalibration(
            self.image_size, len(self.experts), keep_aspect, dtype="float32"
        )
        self.map_calibration.build()
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
        maps, extras = self.expert_maps(images)
        pixel_maps, place_maps = self.map_calibration(maps)
        weights = ops.reshape(self.fusion_weights, (-1, 1))
        place_map = ops.matmul(place_maps, weights)
        if valid is not None:
            place_map = ops.where(valid > 0.5, place_map, -np.inf)
        score = ops.max(place_map, axis=(1, 2, 3))
        return {
            "anomaly_map": ops.matmul(pixel_maps, weights),
            "anomaly_score": score,
            **self.decision(score),
            "pixel_threshold": ops.broadcast_to(self._pixel_threshold, ops.shape(score)),
            **extras,
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

    def expert_maps(self, images):
        """Returns every expert's map before calibration, and what else the model shows.

        Args:
            images: float tensor `(batch, height, width, 3)` of the detector's size.

        Returns:
            maps: float32 tensor `(batch, height, width, experts)`, smoothed.
            extras: dict of `attention_map` and `reconstruction`, as `call` returns them.
        """
        stacked = self._stacked_maps(images) if self.tiles is None else self._merged_maps(images)
        count = len(self.experts)
        extras = {
            "attention_map": stacked[..., count : count + 1],
            "reconstruction": stacked[..., count + 1 :],
        }
        return self.blur(stacked[..., :count]), extras

    def _stacked_maps(self, images):
        """Returns the experts' maps, attention and reconstruction of the model's own size."""
        tensors = self.model.tensors(images)
        size = images.shape[1:3]
        parts = [to_size(expert(chosen_tensors(tensors, expert)), size) for expert in self.experts]
        parts.append(to_size(tensors["attention_map"], size, "bilinear"))
        parts.append(tensors["reconstruction"])
        return ops.concatenate(parts, axis=-1)

    def _merged_maps(self, images):
        """Returns the same of larger images: one tile after the other, so that memory is bound."""
        shape = (None, *self.tiles.tile_size, len(self.experts) + 4)
        stacked = tf.map_fn(
            self._stacked_maps,
            self.tiles.cut(images),
            parallel_iterations=1,
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
        )
        return self.tiles.merge(stacked)

    def adapt(self, train, validation, seed: int = 0, verbose: int = 1) -> None:
        """Fits the experts to good images, and scales and fusion weights to others.

        Args:
            train: dataset of inputs of the model's size (crops, if the detector cuts tiles).
            validation: dataset of inputs as of `call` that trained nothing.
            seed: int. Seed of the synthetic defects that the weights are chosen on.
            verbose: 0 or 1. Whether to show progress.

        Raises:
            InputError: If a dataset is empty or can be read only once, or `train` has images of
                another size, or padded ones without `keep_aspect`.
        """
        adapt_experts(self, train, verbose)
        calibrate_maps(self, validation, verbose)
        weights = choose_weights(draw_fusion_sample(self, validation, seed, verbose))
        self.fusion_weights.assign(weights.astype("float32"))
        forget_calibration(self)

    def calibrate(self, calibration=None, false_alarm_rate: float = 0.05, **options) -> dict:
        """Sets the thresholds from good images that nothing else has seen.

        Args:
            calibration: dataset of inputs of good images; None keeps the stored scores and the
                pixel threshold, and only changes the rates.
            false_alarm_rate: float in (0, 1). Share of good images that may be called defective.
            **options: `review_rate`, `pixel_rate`, `strict`, `on_crops` and `verbose`, see
                `kerasad.scoring.calibration.calibrate_detector`.

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
        """Returns what `calibrate` found, ready for JSON; see `kerasad.scoring.summary`."""
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
