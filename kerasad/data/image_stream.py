"""Images to predict on, decoded while they are read."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from kerasad.data.decoding import Decoding, decode_file
from kerasad.data.geometry import Geometry, pack_inputs
from kerasad.data.image_files import ImageRecord
from kerasad.data.pipeline import PREFETCHED_BATCHES
from kerasad.data.problems import Problem
from kerasad.data.region import restrict
from kerasad.data.region_files import RegionFiles
from kerasad.errors import InputError
from kerasad.tracing import map_dataset


class ImageStream:
    """Images to predict on; made by `load_images`. A file that cannot be read is left out.

    Attributes:
        dataset: `tf.data.Dataset` of (x, index): a model input, and int32 (batch,), the position
            of each image in `records`. Images are decoded while it is iterated over.
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
        regions: RegionFiles | None = None,
    ):
        self.records = tuple(records)
        self._problems = {problem.path: problem for problem in problems}
        self._decoding = decoding
        self._geometry = geometry
        self._regions = regions
        has_valid = geometry.keep_aspect or regions is not None

        def load(index):
            outputs = tf.numpy_function(self._decode, [index], (tf.float32, tf.float32, tf.bool))
            image, valid, usable = outputs
            image = tf.ensure_shape(image, geometry.image_shape)
            valid = tf.ensure_shape(valid, (*geometry.image_shape[:2], 1))
            inputs = pack_inputs(image, valid if has_valid else None)
            return inputs, index, tf.ensure_shape(usable, ())

        dataset = tf.data.Dataset.from_tensor_slices(np.arange(len(self.records), dtype="int32"))
        dataset = map_dataset(dataset, load)
        dataset = dataset.filter(lambda x, index, usable: usable)
        dataset = map_dataset(dataset, lambda x, index, usable: (x, index), parallel=False)
        self.dataset = dataset.batch(batch_size).prefetch(PREFETCHED_BATCHES)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be used; complete after an iteration over `dataset`."""
        return tuple(self._problems.values())

    def _decode(self, index):
        record, (height, width, _) = self.records[index], self._geometry.image_shape
        every = np.ones((height, width, 1), "float32")
        try:
            image, valid = decode_file(record, self._decoding, self._geometry.resize)
            if self._regions is not None:
                # The detector paints over; the picture of the results is the one in the file.
                inside = self._regions.in_frame(record, self._geometry)[..., None]
                valid = restrict(image, valid, inside)[1]
        except InputError as error:
            self._problems[record.path] = Problem(record.path, str(error))
            return np.zeros((height, width, 3), "float32"), every, np.bool_(False)
        return image.numpy(), every if valid is None else valid.numpy(), np.bool_(True)
