"""Images that a user names, outside of any category: to predict on, or to calibrate with."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasad.data.decoding import Decoding, decode_file
from kerasad.data.geometry import Geometry, pack_inputs
from kerasad.data.pipeline import make_dataset
from kerasad.data.records import ImageRecord, Problem, read_category, read_images
from kerasad.data.source import ImageSource
from kerasad.errors import InputError
from kerasad.tracing import map_dataset

Paths = str | os.PathLike | Sequence[str | os.PathLike]

_PREFETCHED_BATCHES = 2


class ImageStream:
    """Images to predict on; made by `load_images`. A file that cannot be read is left out.

    Attributes:
        dataset: `tf.data.Dataset` of (x, index): a model input, and int32 (batch,), the place of
            each image in `records`. Images are decoded while it is iterated.
        records: tuple of `ImageRecord`, whose headers were readable.
    """

    def __init__(
        self,
        records: Sequence[ImageRecord],
        problems: Sequence[Problem],
        geometry: Geometry,
        batch_size: int = 16,
        *,
        decoding: Decoding = Decoding(),
    ):
        self.records = tuple(records)
        self._problems = {problem.path: problem for problem in problems}
        self._decoding = decoding

        def load(index):
            image, usable = tf.numpy_function(self._decode, [index], (tf.float32, tf.bool))
            image = tf.ensure_shape(image, (None, None, 3))
            return pack_inputs(*geometry.resize(image)), index, tf.ensure_shape(usable, ())

        dataset = tf.data.Dataset.from_tensor_slices(np.arange(len(self.records), dtype="int32"))
        dataset = map_dataset(dataset, load)
        dataset = dataset.filter(lambda x, index, usable: usable)
        dataset = map_dataset(dataset, lambda x, index, usable: (x, index), parallel=False)
        self.dataset = dataset.batch(batch_size).prefetch(_PREFETCHED_BATCHES)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be used; complete once `dataset` was iterated."""
        return tuple(self._problems.values())

    def _decode(self, index):
        record = self.records[index]
        try:
            return decode_file(record, self._decoding), np.bool_(True)
        except InputError as error:
            self._problems[record.path] = Problem(record.path, str(error))
            return np.zeros((1, 1, 3), "float32"), np.bool_(False)


@dataclass(frozen=True)
class GoodImages:
    """Good images beyond those of a run; made by `load_good_images`.

    Args:
        dataset: `tf.data.Dataset` of model inputs, in the order of the records.
        records: tuple of `ImageRecord`, one of each content: copies of a picture are one draw.
            Their `content_hash` tells what a run has trained on.
        problems: tuple of `Problem`.
    """

    dataset: tf.data.Dataset
    records: tuple[ImageRecord, ...]
    problems: tuple[Problem, ...]


def load_images(
    paths: Paths,
    geometry: Geometry,
    batch_size: int = 16,
    *,
    decoding: Decoding = Decoding(),
) -> ImageStream:
    """Opens images to predict on: files, and folders searched recursively.

    Args:
        paths: One path, or several.
        geometry: `Geometry` of the run that predicts.
        batch_size: int. Defaults to `16`.
        decoding: `Decoding`.

    Returns:
        An `ImageStream`.
    """
    records, problems = read_images(paths, verify=False, decoding=decoding)
    return ImageStream(records, problems, geometry, batch_size, decoding=decoding)


def load_good_images(
    paths: Paths,
    geometry: Geometry,
    batch_size: int = 16,
    *,
    on_bad: str = "skip",
    decoding: Decoding = Decoding(),
) -> GoodImages:
    """Opens good images to calibrate a run with.

    Args:
        paths: One folder, read as `read_category` reads it, so that the defective images of an
            MVTec layout never count as good; or a list of files and folders, all good.
        geometry: `Geometry` of the run.
        batch_size: int. Defaults to `16`.
        on_bad: `"skip"` or `"raise"`. What to do with a file that cannot be read.
        decoding: `Decoding`.

    Returns:
        `GoodImages`.

    Raises:
        InputError: If there is no usable image, or with `on_bad="raise"` a broken one.
    """
    if isinstance(paths, (str, os.PathLike)) and not Path(paths).expanduser().is_file():
        index = read_category(paths, on_bad=on_bad, decoding=decoding)
        records, problems = index.good, index.problems
    else:
        records, problems = read_images(paths, on_bad=on_bad, decoding=decoding)
    if not records:
        reason = f" {problems[0].message}" if problems else ""
        raise InputError(f"There is no usable image among those given.{reason}")
    distinct = {}
    for record in records:
        distinct.setdefault(record.content_hash, record)
    records = tuple(distinct.values())
    source = ImageSource(records, geometry, decoding=decoding)
    return GoodImages(make_dataset(source, batch_size), records, problems)
