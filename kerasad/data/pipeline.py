"""`tf.data` pipelines: what an epoch shows, in which order, and in which batches.

The steps have the same order everywhere:

1. *plan*: a small integer table with a row for each visit to an image (which image, where to crop).
   Shuffling shuffles this table, never images, so its memory does not grow with them.
2. *load*: from memory for the images that fit the budget, else read, decode and resize.
3. *crop*: after the cache, so that every epoch has other crops.
4. *batch*, then *prefetch* two batches: enough to keep the model busy, with a bound on memory that
   automatic tuning does not give.

Steps 2 to 4 run in the graph, in parallel and in order.
"""

import itertools

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import pack_inputs, reflect_to, resize_mask, unpack_inputs
from kerasad.data.masks import read_mask
from kerasad.data.plans import (
    CROPS_PER_VISIT,
    default_crops_per_image,
    epoch_generator,
    half_sizes,
    plan_epoch,
    plan_grid,
    plan_windows,
)
from kerasad.data.source import ImageSource
from kerasad.tracing import map_dataset

PREFETCHED_BATCHES = 2
# Good images for each labelled one in a batch, however few labelled ones there are.
GOOD_TO_LABELLED = 8


def make_train_dataset(
    source: ImageSource,
    batch_size: int,
    *,
    seed: int = 0,
    crop_size: tuple[int, int] | None = None,
    crops_per_image: int | None = None,
    first_epoch: int = 0,
    precomputed: dict[str, tf.Variable] | None = None,
    rows: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Makes shuffled batches of whole images or random crops, different in each epoch.

    The same seed gives the same sequence of epochs, in every process and whatever TensorFlow's
    own seed is. The last batch may be smaller, but is never a single image (see `plan_epoch`).

    Args:
        source: `ImageSource`.
        batch_size: int.
        seed: int. Defaults to `0`.
        crop_size: (height, width) in pixels; None for whole images.
        crops_per_image: int or None. None covers each image's area twice. If images are decoded
            in each epoch, it is rounded up to a multiple of 4, to cut four crops per decoding.
        first_epoch: int. The epoch of the first pass. Defaults to `0`.
        precomputed: variables by name, of whole images only; in row i several values for image i,
            of which each epoch takes the next. Defaults to `None`.
        rows: int array of the images to show, or None for all. Defaults to `None`.

    Returns:
        `tf.data.Dataset` of model inputs, see `kerasad.data.geometry.unpack_inputs`; they hold
        what is `precomputed` of an image under its names.
    """
    crops_per_visit = 1
    if crop_size is not None:
        crops_per_image = crops_per_image or default_crops_per_image(
            source.geometry.image_shape[:2], crop_size
        )
        if source.num_cached < len(source) and crops_per_image > 1:
            crops_per_visit = min(CROPS_PER_VISIT, crops_per_image)
            crops_per_image = -(-crops_per_image // crops_per_visit) * crops_per_visit
    rows = np.arange(len(source)) if rows is None else np.asarray(rows)
    sizes = source.inner_sizes[rows]
    epochs = itertools.count(first_epoch)

    def draw(epoch):
        rng = epoch_generator(seed, epoch)
        plan = plan_epoch(rng, sizes, crop_size, crops_per_image, crops_per_visit, batch_size)
        plan[:, 0] = rows[plan[:, 0]]
        if precomputed:
            plan = np.concatenate([plan, np.full_like(plan[:, :1], epoch)], axis=1)
        return plan

    shape = draw(0).shape
    # Runs Python once per epoch. (`from_generator` would do, but it also makes the process return
    # freed memory to the system at once, which costs page faults in every training step.)
    plan = map_dataset(
        tf.data.Dataset.from_tensors(0),
        lambda _: tf.ensure_shape(
            tf.numpy_function(lambda: draw(next(epochs)), [], tf.int32), shape
        ),
        parallel=False,
    )
    plan = plan.unbatch().apply(tf.data.experimental.assert_cardinality(shape[0]))
    cut = _looker_up(source, precomputed) if precomputed else _cropper(source, crop_size)
    return _make_dataset(source, plan, shape[0], batch_size, cut)


def make_dataset(
    source: ImageSource, batch_size: int, rows: np.ndarray | None = None
) -> tf.data.Dataset:
    """Makes batches of whole images, in the order of the records.

    Args:
        source: `ImageSource`.
        batch_size: int.
        rows: as in `make_train_dataset`.

    Returns:
        `tf.data.Dataset` of model inputs.
    """
    rows = np.arange(len(source)) if rows is None else np.asarray(rows)
    return _make_static(source, rows.astype("int32")[:, None], batch_size, _cropper(source, None))


def make_grid_dataset(
    source: ImageSource, batch_size: int, crop_size: tuple[int, int]
) -> tf.data.Dataset:
    """Makes batches of crops that cover each image, the same in each epoch.

    Args:
        source: `ImageSource`.
        batch_size: int.
        crop_size: (height, width) in pixels.

    Returns:
        `tf.data.Dataset` of model inputs.
    """
    plan = plan_grid(source.inner_sizes, crop_size)
    return _make_static(source, plan, batch_size, _cropper(source, crop_size))


def make_window_dataset(
    source: ImageSource, batch_size: int, *, seed: int = 0, stream: int = 0
) -> tf.data.Dataset:
    """Makes batches of full-size images, mirrored out of 16 half-size windows of each image.

    They replace the photos that a user with fewer than five does not have: the texture keeps its
    scale, and no two are equal. They are not independent, so they guarantee nothing.

    Args:
        source: `ImageSource`.
        batch_size: int.
        seed: int. Defaults to `0`.
        stream: int. Each number gives other windows. Defaults to `0`.

    Returns:
        `tf.data.Dataset` of model inputs.
    """
    plan = plan_windows(source.inner_sizes, seed, stream)
    return _make_static(source, plan, batch_size, _mirrorer(source))


def make_test_dataset(source: ImageSource, batch_size: int) -> tf.data.Dataset:
    """Makes batches of whole images with labels and masks, in the order of the records.

    Args:
        source: `ImageSource`.
        batch_size: int.

    Returns:
        `tf.data.Dataset` of (x, targets); x is a model input and targets a dict of
        `mask`: float32 (batch, height, width, 1), 1 = defective;
        `has_mask`: bool (batch,), whether pixels may be compared with `mask`: always for a good
        image, for a defective one if it has a mask that keeps a pixel at this size;
        `label`: int32 (batch,), 0 = good, 1 = defective;
        `index`: int32 (batch,), the position in `source.records`.
    """
    count = len(source)
    masked = tf.constant([bool(record.mask_paths) for record in source.records], tf.bool, (count,))
    labels = tf.constant([record.label for record in source.records], tf.int32, (count,))
    height, width, _ = source.geometry.image_shape

    def decode(index):
        return read_mask(source.records[index], source.decoding)

    def load_mask(index):
        mask = tf.numpy_function(decode, [index], tf.float32)
        mask = tf.ensure_shape(mask, (None, None, 1))
        return resize_mask(mask, height, width, source.geometry.keep_aspect)

    def load(index):
        image, valid = source.load(index)
        label = tf.gather(labels, index)
        mask = tf.cond(
            tf.gather(masked, index),
            lambda: load_mask(index),
            lambda: tf.zeros((height, width, 1)),
        )
        mask = tf.ensure_shape(mask, (height, width, 1))
        targets = {
            "mask": mask,
            "has_mask": tf.equal(label, 0) | tf.reduce_any(mask > 0),
            "label": label,
            "index": index,
        }
        return pack_inputs(image, valid), targets

    dataset = tf.data.Dataset.from_tensor_slices(np.arange(count, dtype="int32"))
    dataset = map_dataset(dataset, load, source.parallel)
    return dataset.batch(batch_size).prefetch(PREFETCHED_BATCHES)


def mix_labelled(
    train: tf.data.Dataset, labelled: tf.data.Dataset, batch_size: int
) -> tf.data.Dataset:
    """Adds labelled images to each batch of good ones: one for every `GOOD_TO_LABELLED`.

    Args:
        train: Dataset of model inputs, good images.
        labelled: Dataset of model inputs, defective images; repeated without end.
        batch_size: int. Good images in a batch.

    Returns:
        `tf.data.Dataset` of (x, labels): a model input and float32 `(batch,)`, 1 = defective.
    """
    count = max(1, -(-batch_size // GOOD_TO_LABELLED))
    defective = labelled.unbatch().repeat().batch(count)

    def join(good, bad):
        (images, valid), (more, more_valid) = unpack_inputs(good), unpack_inputs(bad)
        x = tf.concat([images, more], axis=0)
        if valid is not None:
            valid = tf.concat([valid, more_valid], axis=0)
        labels = tf.concat([tf.zeros(tf.shape(images)[0]), tf.ones(tf.shape(more)[0])], axis=0)
        return pack_inputs(x, valid), labels

    pairs = tf.data.Dataset.zip(train, defective)
    return map_dataset(pairs, join, parallel=False).prefetch(PREFETCHED_BATCHES)


def _make_static(source, plan, batch_size, cut):
    dataset = tf.data.Dataset.from_tensor_slices(plan)
    return _make_dataset(source, dataset, len(plan), batch_size, cut)


def _make_dataset(source, plan, num_visits, batch_size, cut):
    """Turns rows of a plan into batches; `cut` makes a stack of model inputs from one row."""
    crops_per_visit = max(1, (plan.element_spec.shape[0] - 1) // 2)
    dataset = map_dataset(plan, cut, source.parallel).unbatch()
    count = tf.data.experimental.assert_cardinality(num_visits * crops_per_visit)
    return dataset.apply(count).batch(batch_size).prefetch(PREFETCHED_BATCHES)


def _looker_up(source, precomputed):
    def look_up(row):
        image, valid = source.load(row[0])
        known = {
            name: tf.gather_nd(values, [row[0], row[1] % values.shape[1]])[None]
            for name, values in precomputed.items()
        }
        return pack_inputs(image[None], None if valid is None else valid[None], known)

    return look_up


def _cropper(source, crop_size):
    height, width = crop_size or source.geometry.image_shape[:2]

    def cut(row):
        image, valid = source.load(row[0])
        if row.shape[0] == 1:
            return pack_inputs(image[None], None if valid is None else valid[None])
        corners = [(row[i], row[i + 1]) for i in range(1, row.shape[0], 2)]

        def crop(tensor):
            stack = [tensor[top : top + height, left : left + width] for top, left in corners]
            shape = (len(corners), height, width, tensor.shape[-1])
            return tf.ensure_shape(tf.stack(stack), shape)

        return pack_inputs(crop(image), None if valid is None else crop(valid))

    return cut


def _mirrorer(source):
    height, width, _ = source.geometry.image_shape
    sizes = tf.constant(half_sizes(source.inner_sizes), tf.int32)

    def cut(row):
        image, valid = source.load(row[0])
        size = tf.gather(sizes, row[0])
        window = image[row[1] : row[1] + size[0], row[2] : row[2] + size[1]]
        image = reflect_to(window, height, width)
        # The mirror also fills the padding, which still does not count, as in prediction.
        return pack_inputs(image[None], None if valid is None else valid[None])

    return cut
