"""The detector: a trained model, its experts, their calibration and the decision, in one graph."""

import inspect

import keras
import numpy as np
from keras import ops

from kerasad.data.geometry import Geometry, parse_image_size, whole_batch_size
from kerasad.data.provenance import Provenance
from kerasad.detector.adaptation import draw_fusion_samples
from kerasad.detector.batches import as_batches
from kerasad.detector.calibration import largest_of_groups, measure_good_images, summarize_experts
from kerasad.detector.conformal import check_rate, check_rates
from kerasad.detector.deciding import DecidingModel
from kerasad.detector.decision import ConformalDecision
from kerasad.detector.expert_maps import ExpertMaps
from kerasad.detector.frames import iterate_inputs, prepare_images
from kerasad.detector.fusion import fuse
from kerasad.detector.map_calibration import build_map_calibration
from kerasad.overlay import scale_level
from kerasad.precision import add_state


@keras.saving.register_keras_serializable(package="kerasad")
class AnomalyDetector(DecidingModel):
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
        copy_model: bool. Without a copy, the model belongs to the detector from now on.
        provenance: `Provenance`, or what its `to_dict` gives: the images that made the detector,
            see `record_images`.

    Call arguments:
        inputs: images, float tensor `(batch, height, width, 3)` in [0, 1] of any size; or a dict
            with `images` and `valid` (`(batch, height, width, 1)`, 0 where padded).

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
        self.expert_maps = ExpertMaps(model, experts, size, overlap, keep_aspect, smoothing)
        self.smoothing = self.frame.smoothing
        self.provenance = Provenance.of(provenance)
        count = len(self.experts)
        self.map_calibration = build_map_calibration(size, self.frame.cell_grid, count, keep_aspect)
        self.fusion_weights = add_state(self, "fusion_weights", (count,), 1.0 / count)
        self.score_weights = add_state(self, "score_weights", (count,), 1.0 / count)
        self.decision = ConformalDecision(dtype="float32")
        self.decision.build()
        self(keras.Input((*self.image_size, 3)))

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
    def tiles(self):
        """`TileGrid`, or None if images are not cut."""
        return self.frame.tiles

    def answer(self, inputs):
        """Returns what `call` does, calibrated or not."""
        images, valid = self.prepare(inputs)
        maps, attention = self.expert_maps(images, valid)
        pixel_maps, place_maps = self.map_calibration(maps)
        weights, score_weights = (
            ops.reshape(state, (-1, 1)) for state in (self.fusion_weights, self.score_weights)
        )
        # Each is enlarged on its own: one that nobody asks for takes no time.
        anomaly_map = self.frame.enlarge(ops.matmul(pixel_maps, weights), valid)
        place_map = self.frame.enlarge(ops.matmul(place_maps, score_weights), valid)
        if valid is not None:
            place_map = ops.where(valid > 0.5, place_map, -np.inf)
        if attention is None:
            attention = scale_level(anomaly_map, self.decision.pixel_threshold)
        else:
            attention = self.frame.enlarge(attention, valid)
        score = ops.max(place_map, axis=(1, 2, 3))
        return {
            "anomaly_map": anomaly_map,
            "anomaly_score": score,
            **self.decision(score),
            "attention_map": attention,
        }

    def prepare(self, inputs):
        """Returns images of the detector's size, and their validity or None."""
        return prepare_images(inputs, self.image_size, self.keep_aspect)

    def iterate_maps(self, dataset, verbose: int = 0, title: str = ""):
        """Yields what `MapCalibration.measure` reads of a dataset; see `predict_stream`."""
        for inputs, _ in iterate_inputs(dataset, verbose, title):
            images, valid = self.prepare(inputs)
            yield self.expert_maps.compute(images, valid), self.frame.map_valid(valid)

    def reconstruct(self, inputs):
        """Returns the model's reconstruction `(batch, height, width, 3)`, or None if it makes none.

        `call` leaves it out, since a decision does not need it.
        """
        return self.frame.reconstruct(self.model, *self.prepare(inputs))

    def adapt(
        self,
        train,
        validation,
        *,
        on_crops: bool = False,
        num_defects: int = 128,
        seed: int = 0,
        batch_size: int = 32,
        verbose: int = 1,
    ) -> None:
        """Fits the experts to good images, and scales and fusion weights to others.

        Args:
            train: inputs of the model's size (crops, if the detector cuts tiles): an array, a dict
                of arrays as in `call`, or a dataset of batches of them.
            validation: inputs that trained nothing, alike, of any size.
            on_crops: bool. Whether all validation images are crops of one photo, as
                `category.split.calibration_on_crops` says. No gain is then known to be sure.
            num_defects: int. About how many synthetic defects the weights are chosen on; fewer on
                large images.
            seed: int. Seed of these defects.
            batch_size: int. Of arrays, for images of the model's size; a dataset has its own.
            verbose: 0 or 1. Whether to show progress.

        Raises:
            InputError: If there is no image, images are no batches of floats in [0, 1], a dataset
                can be read only once, or `train` has images of another size, or padded ones
                without `keep_aspect`.
        """
        train = as_batches(train, "train", batch_size)
        validation = as_batches(validation, "validation", self._whole_batch_size(batch_size))
        self.expert_maps.fit(train, verbose)
        self.map_calibration.measure(self.iterate_maps(validation, verbose, "measuring scales"))
        (sample,) = draw_fusion_samples(
            self,
            validation,
            [self.map_calibration],
            num_defects=num_defects,
            seed=seed,
            on_crops=on_crops,
            verbose=verbose,
        )
        weights, score_weights = fuse(sample, [expert.degrees for expert in self.experts])
        self.fusion_weights.assign(weights.astype("float32"))
        self.score_weights.assign(score_weights.astype("float32"))
        self.decision.forget()
        self.descriptors.forget()
        self.provenance = Provenance()

    def calibrate(
        self,
        calibration=None,
        false_alarm_rate: float = 0.05,
        *,
        review_rate: float | None = None,
        pixel_rate: float = 0.005,
        strict: bool = False,
        on_crops: bool = False,
        groups: np.ndarray | None = None,
        batch_size: int = 32,
        verbose: int = 1,
    ) -> dict:
        """Sets the thresholds from good images that nothing else has seen.

        Args:
            calibration: good images, as `validation` of `adapt`; None keeps the stored scores and
                the pixel threshold, and only changes the rates.
            false_alarm_rate: float in (0, 1). Share of good images that may be called defective.
            review_rate: float in (0, 1) or None. Share of good images that may be called defective
                or to be reviewed, above `false_alarm_rate`; None leaves nothing to review.
            pixel_rate: float in (0, 1). Share of the good images' pixels above the pixel threshold.
            strict: bool. Whether it is an error that a rate cannot be guaranteed.
            on_crops: bool. Whether the images are crops of one photo, which guarantee nothing, as
                `category.split.calibration_on_crops` says. Ignored without `calibration`.
            groups: int array or None. A number for each image, in order, equal for near-copies of
                one scene: they count once, by their largest score, and the rate is that of a photo
                of a new scene. None: each image is its own.
            batch_size: int. As in `adapt`.
            verbose: 0 or 1. Whether to show progress.

        Returns:
            summary: dict, see `calibration_summary`.

        Raises:
            InputError: For rates out of range or order, no image, `groups` of another number, or,
                if `strict`, too few images or crops of one. The detector is then as it was.
        """
        if calibration is None:
            self.decision.change_rates(false_alarm_rate, review_rate, strict)
            return self.calibration_summary()
        check_rates(false_alarm_rate, review_rate, strict, on_crops)
        check_rate(pixel_rate, "pixel_rate")
        images = as_batches(calibration, "calibration", self._whole_batch_size(batch_size))
        scores, pixel_threshold, descriptors = measure_good_images(
            self, images, pixel_rate, verbose
        )
        self.decision.calibrate(
            largest_of_groups(scores, groups),
            false_alarm_rate,
            review_rate,
            pixel_threshold=pixel_threshold,
            pixel_rate=pixel_rate,
            strict=strict,
            on_crops=on_crops,
            num_images=len(scores),
        )
        self.descriptors.keep(descriptors)
        self.provenance = self.provenance.replace(calibration=())
        return self.calibration_summary()

    def _whole_batch_size(self, batch_size):
        return whole_batch_size(batch_size, self.image_size, self.model.image_shape)

    def record_images(self, provenance: Provenance) -> None:
        """Records which images made the detector.

        The record is saved with it: a run refuses to test on images that have trained it. `adapt`
        drops it, and `calibrate` its calibration images: arrays and datasets do not name files.

        Args:
            provenance: `Provenance`, such as `Provenance.from_split(category.split)`.
        """
        self.provenance = provenance

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

    def calibration_summary(self) -> dict:
        """Returns what `adapt` and `calibrate` found, ready for JSON.

        Returns:
            dict as in `ConformalDecision.summary`, and `experts`: by name a dict of `weight`,
            `score_weight`, `mean` and `scale`.
        """
        return {**self.decision.summary(), "experts": summarize_experts(self)}

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
