"""One category of images as `tf.data` pipelines: train, validation, calibration, test."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property

import numpy as np
import tensorflow as tf

from kerasad.data import pipeline
from kerasad.data.decoding import Decoding
from kerasad.data.folds import network_fold_by_group
from kerasad.data.geometry import Geometry, count_vanished_regions, whole_batch_size
from kerasad.data.image_files import ImageRecord
from kerasad.data.index import CategoryIndex
from kerasad.data.masks import read_mask
from kerasad.data.region_files import RegionFiles
from kerasad.data.source import ImageSource, count_cacheable, image_bytes, name_bad_files
from kerasad.data.split import GoodSplit, number_groups
from kerasad.data.tables import format_split_table
from kerasad.errors import InputError

# Windows of the one left-out photo must differ between scales and thresholds.
_VALIDATION_WINDOWS, _CALIBRATION_WINDOWS = 0, 1


class Category:
    """The data of one category; made by `kerasad.data.load_category`.

    Each dataset is built when it is first used, and only then are its images decoded into memory:
    an evaluation never waits for the training images.

    Args:
        index: `CategoryIndex`: all images, and the problems found.
        split: `GoodSplit`: what each good image is used for.
        geometry: `Geometry` of whole images.
        crop_size: (height, width) of training crops, or None for whole images.
        labelled: `ImageRecord`s of images labelled defective, which may be used for training.
        defects: `ImageRecord`s of real defects, which weights are chosen on.
        regions: `RegionFiles` of all these images, or None where every pixel counts.
        **options: See `load_category`.
    """

    def __init__(
        self,
        index: CategoryIndex,
        split: GoodSplit,
        geometry: Geometry,
        *,
        batch_size: int = 16,
        seed: int = 0,
        crop_size: tuple[int, int] | None = None,
        crops_per_image: int | None = None,
        cache_megabytes: int = 1024,
        decoding: Decoding = Decoding(),
        labelled: Sequence[ImageRecord] = (),
        defects: Sequence[ImageRecord] = (),
        trains: bool = False,
        regions: RegionFiles | None = None,
    ):
        self.index = index
        self.split = split
        self.geometry = geometry
        self.batch_size = batch_size
        self.seed = seed
        self.crop_size = crop_size
        self.crops_per_image = crops_per_image
        self.decoding = decoding
        self.labelled = tuple(labelled)
        self.defects = tuple(defects)
        self.regions = regions
        self._trains = trains
        self._cache_bytes = int(cache_megabytes * 2**20)

    @property
    def name(self) -> str:
        """The name of the category's folder."""
        return self.index.name

    @property
    def keep_aspect(self) -> bool:
        """Whether images are padded, so that model inputs are dicts with `"valid"`."""
        return self.geometry.keep_aspect

    @property
    def roi(self) -> np.ndarray | str | None:
        """The region of interest as an `AnomalyDetector` takes it."""
        if self.regions is None:
            return None
        return "each" if self.regions.shared is None else self.regions.shared

    @property
    def full_shape(self) -> tuple[int, int, int]:
        """The shape (height, width, 3) of whole images."""
        return self.geometry.image_shape

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (height, width, 3) of what a model sees in `fit`: a crop, or a whole image."""
        return (*self.crop_size, 3) if self.crop_size else self.full_shape

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches in `train`."""
        return int(self.train.cardinality())

    @cached_property
    def train(self) -> tf.data.Dataset:
        """Shuffled model inputs, whole images or random crops; see `make_train_dataset`."""
        return self.train_from(0)

    @cached_property
    def network_folds(self) -> np.ndarray | None:
        """The fold of each train image for networks, see `network_fold_by_group`.

        An image that also calibrates is scored by networks that have not seen its fold. None if no
        network is trained, or train images calibrate nothing.
        """
        if not (self._trains and self.split.crosswise):
            return None
        return network_fold_by_group(number_groups(self.split.train))

    def train_from(
        self,
        epoch: int,
        precomputed: dict[str, tf.Variable] | None = None,
        without_fold: int = 0,
    ) -> tf.data.Dataset:
        """Returns a new `train` that starts at an epoch (from 0).

        Trainings that are compared take one each, and so see the same sequence of epochs.

        Args:
            epoch: int.
            precomputed: what belongs to the images of `train_in_order`, see `make_train_dataset`.
            without_fold: int. The one of `network_folds`, if there are any, that is left out.
        """
        folds = self.network_folds
        return pipeline.make_train_dataset(
            self._train_source,
            self.batch_size,
            seed=self.seed,
            crop_size=self.crop_size,
            crops_per_image=self.crops_per_image,
            first_epoch=epoch,
            precomputed=precomputed,
            rows=None if folds is None else np.flatnonzero(folds != without_fold),
        )

    def labelled_train_from(self, epoch: int) -> tf.data.Dataset:
        """Returns `train_from` with labelled images: (x, labels), see `mix_labelled`.

        Raises:
            InputError: If no image is labelled, or images are cut into crops, to which a label
                does not apply.
        """
        if not self.labelled:
            raise InputError(
                "There is no image labelled defective: name a folder of them with `labelled`, or "
                "set `labelled_share` where the data has test images."
            )
        if self.crop_size is not None:
            raise InputError(
                "A label applies to a whole image, so labelled images cannot be used for training "
                "on crops; leave `crop_size` out."
            )
        defective = pipeline.make_train_dataset(
            self._labelled_source, len(self.labelled), seed=self.seed + 1, first_epoch=epoch
        )
        return pipeline.mix_labelled(self.train_from(epoch), defective, self.batch_size)

    @property
    def train_in_order(self) -> tf.data.Dataset:
        """The training images, each once, whole and in the order of `split.train`."""
        return pipeline.make_dataset(self._train_source, self._whole_batch_size)

    @property
    def train_for_experts(self) -> tf.data.Dataset:
        """What a detector's experts learn from, the same every time.

        This is `train_in_order`, since an epoch of `train` may repeat an image to fill a batch; or
        `train_from(0)` where models see crops.
        """
        return self.train_from(0) if self.crop_size else self.train_in_order

    @cached_property
    def validation(self) -> tf.data.Dataset:
        """Whole images that set scales and weights; of fewer than 5, windows of one left out.

        If all images train and calibrate, these are the fold that `train` leaves out.
        """
        if self.network_folds is not None:
            rows = np.flatnonzero(self.network_folds == 0)
            return pipeline.make_dataset(self._train_source, self._whole_batch_size, rows)
        return self._whole(self._validation_source, _VALIDATION_WINDOWS)

    @cached_property
    def validation_crops(self) -> tf.data.Dataset:
        """What `fit` validates on: a fixed grid of crops, or `validation` without `crop_size`."""
        if self.crop_size is None:
            return self.validation
        return pipeline.make_grid_dataset(self._validation_source, self.batch_size, self.crop_size)

    @cached_property
    def calibration(self) -> tf.data.Dataset:
        """Whole images that set thresholds; of fewer than 5, windows of one left out."""
        if self.split.calibration_on_crops:  # the photo that validation already holds in memory
            return self._whole(self._validation_source, _CALIBRATION_WINDOWS)
        return self._whole(self._source(self.split.calibration), _CALIBRATION_WINDOWS)

    @cached_property
    def test(self) -> tf.data.Dataset:
        """(x, targets) of `index.test`, see `make_test_dataset`; empty without test images."""
        return pipeline.make_test_dataset(self._source(self.index.test), self._whole_batch_size)

    @property
    def real_defects(self) -> tf.data.Dataset | None:
        """(x, targets) of `defects`, as `test`; None without any."""
        return self.test_of(self.defects) if self.defects else None

    def test_of(self, records: Sequence[ImageRecord]) -> tf.data.Dataset:
        """Returns (x, targets) of some images as `test` does; `index` is a position in `records`.

        Args:
            records: `ImageRecord`s, in the order of the dataset.
        """
        return pipeline.make_test_dataset(self._source(tuple(records)), self._whole_batch_size)

    @property
    def bytes_left_by_train(self) -> int:
        """The memory for decoded images that the training images leave free."""
        return self._bytes_left(self._cache_bytes, self.split.train)

    @property
    def _whole_batch_size(self):
        return whole_batch_size(self.batch_size, self.full_shape[:2], self.image_shape[:2])

    @cached_property
    def _train_source(self):
        return self._source(self.split.train, self._cache_bytes)

    @cached_property
    def _labelled_source(self):
        return self._source(self.labelled, self.bytes_left_by_train)

    @cached_property
    def _validation_source(self):
        left = self._bytes_left(self.bytes_left_by_train, self.labelled)
        return self._source(self.split.validation, left)

    def _source(self, records, cache_bytes=0):
        return ImageSource(
            records,
            self.geometry,
            cache_bytes=cache_bytes,
            decoding=self.decoding,
            regions=self.regions,
        )

    def _bytes_left(self, cache_bytes, records):
        num_cached = min(len(records), count_cacheable(self.geometry, cache_bytes))
        return cache_bytes - num_cached * image_bytes(self.geometry)

    def _whole(self, source, stream):
        if self.split.calibration_on_crops:
            return pipeline.make_window_dataset(
                source, self._whole_batch_size, seed=self.seed, stream=stream
            )
        return pipeline.make_dataset(source, self._whole_batch_size)

    def name_bad_files(self) -> AbstractContextManager[None]:
        """Returns a context in which a file that went bad raises an `InputError` that names it.

        Example:
        >>> with data.name_bad_files():
        ...     model.fit(data.train)
        """
        records = (*self.index.good, *self.index.test, *self.labelled, *self.defects)
        return name_bad_files(records, self.decoding)

    def count_vanished_regions(self) -> int:
        """Counts the regions of test masks of which this image size leaves no pixel."""
        frame = (self.geometry.height, self.geometry.width, self.geometry.keep_aspect)
        masked = (record for record in self.index.test if record.mask_paths)
        masks = (read_mask(record, self.decoding) for record in masked)
        return sum(count_vanished_regions(mask, *frame) for mask in masks)

    def split_table(self) -> str:
        """Returns a table to print: the use of the images, their size, and all problems."""
        size = f"{self.geometry.height} x {self.geometry.width} (height x width)"
        if self.keep_aspect:
            size += ", padded to keep each aspect ratio"
        if self.crop_size:
            size += ", training on random crops of {} x {}".format(*self.crop_size)
        if self.labelled:
            size += f"\n  labelled defective, never test images: {len(self.labelled)}"
        if self.defects:
            masks = sum(bool(record.mask_paths) for record in self.defects)
            size += (
                f"\n  real defects to choose weights on, never test images: {len(self.defects)} "
                f"({masks} with a mask)"
            )
        return f"{format_split_table(self.index, self.split)}\n  image size: {size}"
