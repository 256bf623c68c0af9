"""One category of images as `tf.data` pipelines: train, validation, calibration, test."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property

import tensorflow as tf

from kerasad.data import pipeline
from kerasad.data.decoding import Decoding, decode_mask
from kerasad.data.geometry import (
    Geometry,
    count_vanished_regions,
    whole_batch_size,
)
from kerasad.data.labelled import mix_labelled
from kerasad.data.records import CategoryIndex, ImageRecord
from kerasad.data.source import ImageSource, count_cacheable, name_bad_files
from kerasad.data.split import GoodSplit
from kerasad.data.split_table import format_split_table
from kerasad.errors import InputError

# Windows of the one left-out photo must not be the same for scales and for thresholds.
_VALIDATION_WINDOWS, _CALIBRATION_WINDOWS = 0, 1


class Category:
    """The data of one category; made by `kerasad.data.load_category`.

    Every dataset is built when it is first asked for, and images are decoded into memory only
    then: whoever evaluates never waits for the training images.

    Attributes:
        index: `CategoryIndex`, every file and the problems found.
        split: `GoodSplit`, which good images do what.
        geometry: `Geometry` of whole images.
        crop_size: (height, width) of training crops, or None.
        batch_size: int.
        seed: int.
        decoding: `Decoding`.
        labelled: tuple of `ImageRecord`, images labelled defective that may be trained with.
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
    ):
        self.index = index
        self.labelled = tuple(labelled)
        self.split = split
        self.geometry = geometry
        self.batch_size = batch_size
        self.seed = seed
        self.crop_size = crop_size
        self.crops_per_image = crops_per_image
        self._cache_bytes = int(cache_megabytes * 2**20)
        self.decoding = decoding

    @property
    def name(self) -> str:
        """The name of the category's folder."""
        return self.index.name

    @property
    def keep_aspect(self) -> bool:
        """Whether images are padded, so that model inputs are dicts with `"valid"`."""
        return self.geometry.keep_aspect

    @property
    def full_shape(self) -> tuple[int, int, int]:
        """The shape (height, width, 3) of whole images."""
        return self.geometry.image_shape

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The shape (height, width, 3) of what a model sees in `fit`: a crop, or all."""
        return (*self.crop_size, 3) if self.crop_size else self.full_shape

    @property
    def _whole_batch_size(self):
        return whole_batch_size(self.batch_size, self.full_shape[:2], self.image_shape[:2])

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches in `train`."""
        return int(self.train.cardinality())

    @cached_property
    def train(self) -> tf.data.Dataset:
        """Shuffled model inputs, whole images or random crops; see `make_train_dataset`."""
        return self.train_from(0)

    def train_from(self, epoch: int, features: tf.Variable | None = None) -> tf.data.Dataset:
        """A `train` of its own whose first pass is that of an epoch (from 0).

        Trainings that are to be compared each take one, and see the same sequence of epochs.
        `features` has a row for each image of `train_in_order`, see `make_train_dataset`.
        """
        return pipeline.make_train_dataset(
            self._train_source,
            self.batch_size,
            seed=self.seed,
            crop_size=self.crop_size,
            crops_per_image=self.crops_per_image,
            first_epoch=epoch,
            features=features,
        )

    @property
    def train_in_order(self) -> tf.data.Dataset:
        """The training images, each once, whole and in the order of `split.train`."""
        return pipeline.make_dataset(self._train_source, self._whole_batch_size)

    @property
    def train_for_experts(self) -> tf.data.Dataset:
        """What the experts of a detector learn from, the same whenever it is asked for.

        `train_in_order`, since an epoch of `train` may repeat an image to fill a batch; where
        models see crops, `train_from(0)`.
        """
        return self.train_from(0) if self.crop_size else self.train_in_order

    def labelled_train_from(self, epoch: int) -> tf.data.Dataset:
        """`train_from` with labelled images: (x, labels), see `mix_labelled`.

        Raises:
            InputError: If there is no labelled image, or images are cut into crops, of which a
                label says nothing.
        """
        if not self.labelled:
            raise InputError(
                "There is no image labelled defective: name a folder of them with `labelled`, or "
                "set `labelled_share` where the data has test images."
            )
        if self.crop_size is not None:
            raise InputError(
                "A label speaks of a whole image, so labelled images can't be trained on in "
                "crops; leave `crop_size` out."
            )
        defective = pipeline.make_train_dataset(
            self._labelled_source, len(self.labelled), seed=self.seed + 1, first_epoch=epoch
        )
        return mix_labelled(self.train_from(epoch), defective, self.batch_size)

    @cached_property
    def _labelled_source(self):
        return self._source(
            self.labelled,
            self.bytes_left_by_train,
        )

    @cached_property
    def _train_source(self):
        return self._source(self.split.train, self._cache_bytes)

    @cached_property
    def validation(self) -> tf.data.Dataset:
        """Whole images that set scales and weights; windows of one photo if there are few."""
        return self._whole(self._validation_source, _VALIDATION_WINDOWS)

    @cached_property
    def validation_crops(self) -> tf.data.Dataset:
        """What `fit` validates on: a fixed grid of crops, or `validation` without `crop_size`."""
        if self.crop_size is None:
            return self.validation
        return pipeline.make_grid_dataset(self._validation_source, self.batch_size, self.crop_size)

    @cached_property
    def calibration(self) -> tf.data.Dataset:
        """Whole images that set thresholds; windows of the left-out photo if there are few."""
        if self.split.calibration_on_crops:  # the very photo that validation holds in memory
            return self._whole(self._validation_source, _CALIBRATION_WINDOWS)
        return self._whole(self._source(self.split.calibration), _CALIBRATION_WINDOWS)

    @cached_property
    def test(self) -> tf.data.Dataset:
        """(x, targets) of `index.test`, see `make_test_dataset`; empty for a plain folder."""
        return pipeline.make_test_dataset(self._source(self.index.test), self._whole_batch_size)

    @cached_property
    def _validation_source(self):
        taken = min(len(self.labelled), count_cacheable(self.geometry, self.bytes_left_by_train))
        left = self.bytes_left_by_train - taken * _image_bytes(self.geometry)
        return self._source(self.split.validation, left)

    @property
    def bytes_left_by_train(self) -> int:
        """Memory that the training images leave of the budget for what is decoded."""
        taken = min(len(self.split.train), count_cacheable(self.geometry, self._cache_bytes))
        return self._cache_bytes - taken * _image_bytes(self.geometry)

    def _source(self, records, cache_bytes=0):
        return ImageSource(records, self.geometry, cache_bytes=cache_bytes, decoding=self.decoding)

    def _whole(self, source, stream):
        if self.split.calibration_on_crops:
            return pipeline.make_window_dataset(
                source, self._whole_batch_size, seed=self.seed, stream=stream
            )
        return pipeline.make_dataset(source, self._whole_batch_size)

    def name_bad_files(self) -> AbstractContextManager[None]:
        """A context in which a file that goes bad raises an `InputError` that names it.

        Example:
        >>> with data.name_bad_files():
        ...     model.fit(data.train)
        """
        records = (*self.index.good, *self.index.test, *self.labelled)
        return name_bad_files(records, self.decoding)

    def count_vanished_regions(self) -> int:
        """Counts the regions of test masks of which nothing is left at this image size."""
        frame = (self.geometry.height, self.geometry.width, self.geometry.keep_aspect)
        paths = (record.mask_path for record in self.index.test if record.mask_path)
        masks = (decode_mask(path, self.decoding) for path in paths)
        return sum(count_vanished_regions(mask, *frame) for mask in masks)

    def split_table(self) -> str:
        """Returns a table to print: how many images do what, their size, and all problems."""
        size = f"{self.geometry.height} x {self.geometry.width} (height x width)"
        if self.keep_aspect:
            size += ", padded to keep each aspect ratio"
        if self.crop_size:
            size += ", training on random crops of {} x {}".format(*self.crop_size)
        if self.labelled:
            size += f"\n  labelled defective, never test images: {len(self.labelled)}"
        return f"{format_split_table(self.index, self.split)}\n  image size: {size}"


def _image_bytes(geometry):
    return 4 * geometry.height * geometry.width * 3
