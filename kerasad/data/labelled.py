"""Images labelled defective: the few that a weakly supervised model learns from.

They are set apart from the test images for good, so that no evaluation counts them.
"""

import dataclasses
import os
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from kerasad.data.geometry import pack_inputs, unpack_inputs
from kerasad.data.image_record import ImageRecord
from kerasad.data.records import CategoryIndex, read_images
from kerasad.errors import InputError
from kerasad.tracing import map_dataset

# One labelled image comes with so many good ones, however few there are of it.
GOOD_TO_LABELLED = 8


def choose_labelled(
    index: CategoryIndex, share: float, num_train: int, seed: int
) -> tuple[ImageRecord, ...]:
    """Chooses defective test images to be labelled, as evenly over the kinds of defects as can be.

    Args:
        index: `CategoryIndex`.
        share: float > 0. Labelled images to training images; CAVGA's is 0.02. At least one image.
        num_train: int. Number of training images.
        seed: int.

    Returns:
        Their records, in the order of their paths.

    Raises:
        InputError: If the share is not above 0, or no defective image would be left to test.
    """
    if not share > 0:
        raise InputError(f"`labelled_share` must be above 0. Received: {share!r}")
    rng = np.random.default_rng(seed)
    kinds: dict[str, list[ImageRecord]] = {}
    for record in index.test:
        if record.label:
            kinds.setdefault(record.defect, []).append(record)
    queues = [[records[i] for i in rng.permutation(len(records))] for records in kinds.values()]
    queues = [queues[i] for i in rng.permutation(len(queues))]
    total = sum(map(len, queues))
    count = max(1, round(share * num_train))
    if count >= total:
        raise InputError(
            f"`labelled_share`={share} asks for {count} labelled images, but there are "
            f"{total} defective ones and some must be left to test; lower it, or name a folder of "
            "labelled images."
        )
    turns = [queue[turn] for turn in range(total) for queue in queues if turn < len(queue)]
    return tuple(sorted(turns[:count], key=lambda record: record.path))


def read_labelled(folder: str | os.PathLike, **options) -> tuple[tuple, tuple]:
    """Reads a folder, searched recursively, whose images are all defective.

    Args:
        folder: The folder.
        **options: as of `read_images`.

    Returns:
        (records, problems), as of `read_images`.

    Raises:
        InputError: If there is no usable image.
    """
    records, problems = read_images(folder, **options)
    if not records:
        reason = f" {problems[0].message}" if problems else ""
        raise InputError(f"{os.fspath(folder)}: no usable image labelled defective.{reason}")
    labelled = (dataclasses.replace(record, label=1, defect="labelled") for record in records)
    return tuple(labelled), problems


def without(records: Iterable[ImageRecord], hashes: Iterable[str]) -> tuple[ImageRecord, ...]:
    """Returns the records whose content is not among the hashes."""
    hashes = set(hashes)
    return tuple(record for record in records if record.content_hash not in hashes)


def set_apart(index: CategoryIndex, labelled: Sequence[ImageRecord]) -> CategoryIndex:
    """Returns the index without labelled images, or copies of them, among its test images.

    Raises:
        InputError: If a labelled image is also a good one.
    """
    hashes = {record.content_hash: record.path for record in labelled}
    for record in index.good:
        if record.content_hash in hashes:
            raise InputError(
                f"{hashes[record.content_hash]}: labelled defective, but the same picture is "
                f"among the good ones ({record.path}); keep it in one of them."
            )
    return dataclasses.replace(index, test=without(index.test, hashes))


def mix_labelled(
    train: tf.data.Dataset, labelled: tf.data.Dataset, batch_size: int
) -> tf.data.Dataset:
    """Adds labelled images to each batch of good ones: one to `GOOD_TO_LABELLED`.

    Args:
        train: dataset of model inputs, good images.
        labelled: dataset of model inputs, defective images; drawn from again and again.
        batch_size: int. Good images of a batch.

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
    return map_dataset(pairs, join, parallel=False).prefetch(2)
