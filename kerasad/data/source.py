"""Images by number, in graph: from memory as far as a budget goes, else from their files."""

import contextlib
import functools
import math
import os
import time
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from kerasad.data.decoding import Decoding, decode_bytes_in_graph, decode_file, most_at_once
from kerasad.data.geometry import Geometry, fit_inside, make_valid
from kerasad.data.image_files import ImageRecord
from kerasad.data.region import restrict
from kerasad.data.region_files import RegionFiles
from kerasad.errors import InputError
from kerasad.progress import Phase
from kerasad.tracing import compiled, map_dataset


class ImageSource:
    """The images of some records, each at the size of a frame.

    The first `num_cached` images are decoded and resized once, at construction, into a float32
    variable, from which the graph gathers rows. (A variable, since `tf.data` copies a captured
    tensor of any size when it optimizes a pipeline.) The others are decoded at each visit.

    Args:
        records: Sequence of `ImageRecord`.
        geometry: `Geometry`. The frame.
        cache_bytes: int. Memory for decoded images. Defaults to `0`.
        decoding: `Decoding`.
        silent_seconds: float. The time after which decoding into memory shows its progress.
        regions: `RegionFiles` or None. What is outside the region of an image is painted over.

    Raises:
        InputError: If a file changed after it was indexed; the message names it.
    """

    def __init__(
        self,
        records: Sequence[ImageRecord],
        geometry: Geometry,
        *,
        cache_bytes: int = 0,
        decoding: Decoding = Decoding(),
        silent_seconds: float = 3.0,
        regions: RegionFiles | None = None,
    ):
        self.records = tuple(records)
        self.geometry = geometry
        self.decoding = decoding
        self.num_cached = min(len(self.records), count_cacheable(geometry, cache_bytes))
        sizes = np.array([(r.height, r.width) for r in self.records], "int64").reshape(-1, 2)
        self.inner_sizes = np.tile(np.int64(geometry.image_shape[:2]), (len(self.records), 1))
        if geometry.keep_aspect:
            inner = fit_inside(sizes[:, 0], sizes[:, 1], geometry.height, geometry.width)
            self.inner_sizes = np.stack(inner, axis=1)
        self._tables = self._make_tables(sizes)
        self._regions = regions
        self._packed_regions: dict[int, np.ndarray] = {}
        self._shared_region = None
        if regions is not None and regions.shared is not None and self.records:
            # One mask fits images of one size alone, which lie in the frame alike.
            self._shared_region = self._read_region(0)[..., None]
        self._cache = self._fill(silent_seconds) if self.num_cached else None

    def __len__(self):
        return len(self.records)

    @property
    def parallel(self) -> bool | int:
        """How many images may be loaded at once, for `map_dataset`: few, if they are large."""
        return most_at_once(max((record.weight for record in self.records), default=1)) or True

    def load(self, index):
        """Returns one image, by graph operations only, for use in `tf.data.Dataset.map`.

        Args:
            index: Scalar int tensor.

        Returns:
            (image, valid): float32 (height, width, 3) in [0, 1], and float32 (height, width, 1)
            or None, see `resize_image` and `restrict`.
        """
        valid = None
        if self.geometry.keep_aspect:
            inner = tf.gather(self._tables["inner_sizes"], index)
            valid = make_valid(inner[0], inner[1], self.geometry.height, self.geometry.width)
        if self.num_cached == 0:
            image = self._read(index)
        elif self.num_cached == len(self):
            image = tf.gather(self._cache, index)
        else:
            image = tf.cond(
                index < self.num_cached,
                lambda: tf.gather(self._cache, index),
                lambda: self._read(index),
            )
        image = tf.ensure_shape(image, self.geometry.image_shape)
        if self._regions is None:
            return image, valid
        return restrict(image, valid, self._inside(index))

    def _inside(self, index):
        """Returns the region of an image, bool (height, width, 1), by graph operations only."""
        shape = (*self.geometry.image_shape[:2], 1)
        if self._shared_region is not None:
            return tf.constant(self._shared_region)
        inside = tf.numpy_function(self._read_region, [index], tf.bool)
        return tf.ensure_shape(inside[..., None], shape)

    def _read_region(self, index):
        index = int(index)
        frame = self.geometry.image_shape[:2]
        if index not in self._packed_regions:  # an eighth of the memory
            inside = self._regions.in_frame(self.records[index], self.geometry)
            self._packed_regions[index] = np.packbits(inside)
        packed = self._packed_regions[index]
        return np.unpackbits(packed, count=math.prod(frame)).reshape(frame).astype(bool)

    def _make_tables(self, sizes):
        """Returns what the graph needs to know of each file."""
        paths = [record.path for record in self.records]
        return {
            "path": tf.constant([os.fsencode(path) for path in paths], tf.string, (len(paths),)),
            "bytes": tf.constant([_file_size(path) for path in paths], tf.int64, (len(paths),)),
            "size": tf.constant(sizes, tf.int32),
            "inner_sizes": tf.constant(self.inner_sizes, tf.int32),
            "by_python": tf.constant(
                [record.decoder != "graph" for record in self.records], tf.bool, (len(paths),)
            ),
        }

    def _read(self, index):
        file = {name: tf.gather(table, index) for name, table in self._tables.items()}

        def refuse():
            outputs = tf.numpy_function(_refuse, [file["path"]], (tf.float32, tf.int32))
            return self._with_shapes(*outputs)

        def by_graph():
            data = tf.io.read_file(file["path"])
            return tf.cond(
                tf.cast(tf.strings.length(data), tf.int64) == file["bytes"],
                lambda: _decoder(self.decoding, self.geometry)(data),
                refuse,
            )

        def by_python():
            outputs = tf.numpy_function(self._decode_file, [file["path"]], (tf.float32, tf.int32))
            return self._with_shapes(*outputs)

        decoders = {record.decoder for record in self.records}
        if "graph" not in decoders:
            image, size = by_python()
        elif decoders == {"graph"}:
            image, size = by_graph()
        else:
            image, size = tf.cond(file["by_python"], by_python, by_graph)
        same = tf.reduce_all(tf.equal(size, file["size"]))
        return tf.cond(same, lambda: image, lambda: refuse()[0])

    def _with_shapes(self, image, size):
        return tf.ensure_shape(image, self.geometry.image_shape), tf.ensure_shape(size, (2,))

    def _decode_file(self, path):
        image, size = decode_file(os.fsdecode(path), self.decoding, _finisher(self.geometry))
        return image.numpy(), size.numpy()

    def _fill(self, silent_seconds):
        shape = (self.num_cached, *self.geometry.image_shape)
        with tf.device("CPU:0"):  # beside the pipeline, not in the memory of a GPU
            empty = tf.raw_ops.Empty(shape=shape, dtype=tf.float32, init=False)
            cache = tf.Variable(empty, trainable=False, name="image_cache")
        del empty
        numbers = tf.data.Dataset.range(self.num_cached)
        images = map_dataset(numbers, self._read, self.parallel)
        progress = _SlowProgress(self.num_cached, silent_seconds)
        with name_bad_files(self.records[: self.num_cached], self.decoding), progress:
            for index, image in enumerate(images):
                # Assigns a row in place; `cache[index].assign` would copy the whole cache.
                cache.scatter_update(tf.IndexedSlices(image[None], [index]))
                progress.update(index + 1)
        return cache


def count_cacheable(geometry: Geometry, cache_bytes: int) -> int:
    """Returns how many float32 images of this frame fit into a number of bytes."""
    return max(0, cache_bytes) // image_bytes(geometry)


def image_bytes(geometry: Geometry) -> int:
    """Returns the memory of one float32 image of this frame."""
    return 4 * math.prod(geometry.image_shape)


@contextlib.contextmanager
def name_bad_files(
    records: Sequence[ImageRecord] = (), decoding: Decoding = Decoding()
) -> Iterator[None]:
    """Turns TensorFlow's error about a file that went bad into an `InputError` that names it.

    TensorFlow only says that some decoder failed. Use this context around whatever iterates over a
    dataset, `model.fit` included.

    Args:
        records: The `ImageRecord`s that the dataset reads. After an error that names no file, they
            are decoded one by one to find the broken one.
        decoding: `Decoding` of the dataset.

    Raises:
        InputError: If a file changed or broke while it was in use.
    """
    try:
        yield
    except tf.errors.OpError as error:
        _, named, sentence = (error.message or "").partition("InputError: ")
        if named:
            raise InputError(sentence.partition("\n")[0]) from error
        for record in records:
            decode_file(record, decoding)
        raise


@functools.cache
def _decoder(decoding, geometry):
    """Returns the decoder as a graph, traced once instead of once for each dataset."""
    finish = _finisher(geometry)
    return compiled(
        # Files of another size than those in the index are refused before.
        lambda data: decode_bytes_in_graph(data, decoding, finish=finish, is_checked=True),
        input_signature=[tf.TensorSpec((), tf.string)],
    )


def _finisher(geometry):
    """Returns a function of an image as decoded that returns its frame, and its size as decoded."""

    def finish(pixels, white):
        image = tf.ensure_shape(geometry.resize(pixels, white)[0], geometry.image_shape)
        return image, tf.shape(pixels)[:2]

    return finish


def _refuse(path):
    raise InputError(
        f"{os.fsdecode(path)}: the file changed after it was indexed; do not change the folder "
        "while it is in use, and start again."
    )


def _file_size(path):
    try:
        return os.path.getsize(path)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror}).") from error


class _SlowProgress:
    """The progress of filling the memory, which appears only if the work takes long."""

    def __init__(self, target, silent_seconds):
        self._target = target
        self._silent_until = time.monotonic() + silent_seconds
        self._phase, self._done_before = None, 0

    def __enter__(self):
        return self

    def update(self, current):
        if self._phase is not None:
            self._phase.advance(current - self._done_before - self._phase.done)
        elif time.monotonic() > self._silent_until and current < self._target:
            # The phase takes its own start for that of the work, so it only counts what is left.
            left = self._target - current
            self._phase, self._done_before = Phase("decoding images into memory", left), current
            self._phase.__enter__()

    def __exit__(self, *error):
        if self._phase is not None:
            self._phase.__exit__(*error)
