"""What a detector learns from good images: its experts, scales, weights and thresholds."""

import keras
import numpy as np

from kerasad.data.geometry import whole_batch_size
from kerasad.data.provenance import Provenance
from kerasad.detector.adaptation import draw_fusion_samples
from kerasad.detector.batches import as_batches
from kerasad.detector.calibration import largest_of_groups, measure_good_images, summarize_experts
from kerasad.detector.conformal import check_rates
from kerasad.detector.cross_fitting import fit_crosswise, update_crosswise
from kerasad.detector.deciding import DecidingModel
from kerasad.detector.expert_maps import ExpertMaps
from kerasad.detector.experts import trust
from kerasad.detector.fold_networks import FoldNetworks
from kerasad.detector.frames import iterate_inputs
from kerasad.detector.fusion import GOOD, fuse, take_rows
from kerasad.detector.map_calibration import MapCalibration
from kerasad.detector.real_defects import choose_review_rate, summarize_tuning, tune
from kerasad.detector.unusual import LeftOutScores


class LearningModel(DecidingModel):
    """A model that learns from good images, in one of two ways, and is calibrated.

    - `adapt` fits experts to some images and scales to others; `calibrate` needs further ones. The
      rate is then guaranteed.
    - `adapt_crosswise` does all of it with the same images, and `update_crosswise` with further
      ones.
    """

    expert_maps: ExpertMaps
    map_calibration: MapCalibration
    tuning: keras.Variable
    provenance: Provenance

    def iterate_maps(self, dataset, verbose: int = 0, title: str = ""):
        """Yields what `MapCalibration.measure` reads of a dataset; see `predict_stream`."""
        for inputs, _ in iterate_inputs(dataset, verbose, title):
            images, valid = self.prepare(inputs)
            yield self.expert_maps.compute(images, valid), self.frame.map_valid(valid)

    def adapt(
        self,
        train,
        validation,
        *,
        on_crops: bool = False,
        num_defects: int = 128,
        seed: int = 0,
        defects=None,
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
            defects: 8 or more real defective images, or None: as `validation`, or with masks, as
                `(images, masks)`. They choose weights where theirs are surely better, see
                `kerasad.detector.real_defects.tune_weights`.
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
        weights, score_weights = fuse(sample, *trust(self.experts))
        self.fusion_weights.assign(weights.astype("float32"))
        self.score_weights.assign(score_weights.astype("float32"))
        self.tuning.assign(np.zeros(4, "float32"))
        if defects is not None:
            defects = as_batches(defects, "defects", self._whole_batch_size(batch_size))
            good = take_rows(sample, sample.kinds == GOOD)
            tune(self, self.map_calibration, good, defects)
        self.decision.forget()
        self.descriptors.forget()
        self.provenance = Provenance()

    def adapt_crosswise(
        self,
        images,
        groups=None,
        *,
        folds: int | None = None,
        false_alarm_rate: float = 0.05,
        review_rate: float | None = None,
        batch_size: int = 32,
        verbose: int = 1,
        networks: FoldNetworks | None = None,
        defects=None,
    ) -> LeftOutScores:
        """Fits the experts to all good images and calibrates with scores of images left out.

        Args:
            images: good images of the model's size, as `train` of `adapt`.
            groups: int array `(images,)`, equal for near-copies; each group gives one score, its
                largest. None: every image is its own.
            folds: int >= 2. Every image is scored by statistics of the other folds. None: 10, or 5
                from 100 groups on.
            false_alarm_rate, review_rate, batch_size, verbose: as in `calibrate`.
            networks: `FoldNetworks` or None. Each image is scored by networks that have not seen
                it. A model with `trained_weights` needs them.
            defects: real defective images or None, as in `adapt` and `calibrate`.

        Returns:
            `LeftOutScores`: the score of each image by statistics that have not seen it. In
            `calibration_summary`, `guaranteed` is None: the rate is expected.

        Raises:
            InputError: As of `calibrate`; or if the detector cuts tiles, groups are too few,
                `networks` are needed, or what an expert learns cannot be merged.
        """
        if defects is not None:
            defects = as_batches(defects, "defects", self._whole_batch_size(batch_size))
        left_out = fit_crosswise(
            self,
            as_batches(images, "images", batch_size),
            groups,
            folds,
            (false_alarm_rate, review_rate),
            verbose,
            networks,
            defects=defects,
        )
        self._review_defects(defects, review_rate, verbose)
        self.provenance = Provenance()
        return left_out

    def update_crosswise(
        self,
        images,
        groups=None,
        *,
        folds: int | None = None,
        false_alarm_rate: float = 0.05,
        review_rate: float | None = None,
        batch_size: int = 32,
        verbose: int = 1,
    ) -> dict:
        """Fits the experts to further good images too and calibrates with these alone.

        The images that the experts have learnt from are not needed again. The record of images
        stays as it was, see `record_images`.

        Args:
            images: new good images, as in `adapt_crosswise`.
            groups, folds, false_alarm_rate, review_rate, batch_size, verbose: as there.

        Returns:
            summary: dict, see `calibration_summary`; the rate is that of images like the new ones.

        Raises:
            InputError: As of `adapt_crosswise`, before a first calibration, for fewer than 5 images
                or groups, or if an expert keeps too little to go on from.
        """
        update_crosswise(
            self,
            as_batches(images, "images", batch_size),
            groups,
            folds,
            (false_alarm_rate, review_rate),
            verbose,
        )
        return self.calibration_summary()

    def calibrate(
        self,
        calibration=None,
        false_alarm_rate: float = 0.05,
        *,
        review_rate: float | None = None,
        strict: bool = False,
        on_crops: bool = False,
        groups: np.ndarray | None = None,
        defects=None,
        batch_size: int = 32,
        verbose: int = 1,
    ) -> dict:
        """Sets the thresholds from good images that nothing else has seen.

        Args:
            calibration: good images, as `validation` of `adapt`; None keeps the stored scores and
                only changes the rates.
            false_alarm_rate: float in (0, 1). Share of good images that may be called defective;
                no larger share has a pixel above the pixel threshold.
            review_rate: float in (0, 1) or None. Share of good images that may be called defective
                or to be reviewed, above `false_alarm_rate`; None leaves nothing to review.
            strict: bool. Whether it is an error that a rate cannot be guaranteed.
            on_crops: bool. Whether the images are crops of one photo, which guarantee nothing, as
                `category.split.calibration_on_crops` says. Ignored without `calibration`.
            groups: int array or None. A number for each image, in order, equal for near-copies of
                one scene: they count once, by their largest score, and the rate is that of a photo
                of a new scene. None: each image is its own.
            defects: real defective images or None, as in `adapt`. Without a `review_rate`, they
                choose the smallest that has those below the threshold reviewed, at most 0.2; the
                threshold is that of good images.
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
        images = as_batches(calibration, "calibration", self._whole_batch_size(batch_size))
        scores, peaks, descriptors = measure_good_images(self, images, verbose)
        self.decision.calibrate(
            largest_of_groups(scores, groups),
            false_alarm_rate,
            review_rate,
            peaks=largest_of_groups(peaks, groups),
            strict=strict,
            on_crops=on_crops,
            num_images=len(scores),
        )
        self.descriptors.keep(descriptors)
        if defects is not None:
            defects = as_batches(defects, "defects", self._whole_batch_size(batch_size))
            self._review_defects(defects, review_rate, verbose)
        self.provenance = self.provenance.replace(calibration=())
        return self.calibration_summary()

    def _review_defects(self, defects, review_rate, verbose) -> None:
        """Sets the review band that real defects choose, if there are some and it is not set."""
        if defects is None or review_rate is not None or self.decision.on_crops:
            return
        found = self.score_stream(defects, verbose, "scoring real defects")
        scores = np.concatenate([outputs["anomaly_score"] for outputs, _, _ in found])
        rate = float(self.decision.summary()["false_alarm_rate"]["requested"])
        chosen = choose_review_rate(scores, self.decision.stored_scores(), rate)
        if chosen is not None:
            self.decision.set_review_band(chosen, len(scores))

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

    def calibration_summary(self) -> dict:
        """Returns what `adapt` and `calibrate` found, ready for JSON.

        Returns:
            dict as in `ConformalDecision.summary`, and `experts`: by name a dict of `weight`,
            `score_weight`, `mean` and `scale`; and `real_defects`, see `summarize_tuning`.
        """
        summary, tuning = self.decision.summary(), summarize_tuning(self)
        if tuning is not None:
            summary["note"] = " ".join(filter(None, (summary["note"], tuning["note"])))
        return {**summary, "experts": summarize_experts(self), "real_defects": tuning}
