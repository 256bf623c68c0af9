"""Near-copies among good images, by features of the frozen default backbone.

They are looked for whatever model is trained, those that use no backbone included: its weights are
always installed, and only its first blocks are built. Thumbnails would not do. By these, 209 photos
of bottles were 163 to 178 scenes instead of 207: what is placed or lit alike looks alike in them.
"""

import functools
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf
from scipy.sparse import csr_matrix

from kerasad.backbones import build_backbone
from kerasad.data.decoding import Decoding, decode_file
from kerasad.data.geometry import Geometry
from kerasad.data.grouping import FindCopies
from kerasad.data.image_files import ImageRecord
from kerasad.data.near_copies import group_near_copies, natural_order
from kerasad.tracing import compiled
from kerasad.training.config import DataConfig

SIDE = 128
"""Height and width of the images that are compared; each is stretched to a square."""
MAX_WIDTH = 4096
"""Most numbers of a descriptor from each tap."""
MAX_BYTES = 2**26
"""Memory for all descriptors, in half precision; those of more than 4,000 images are shorter."""

_TAPS = ("block_2", "block_4")
_BATCH = 16
_FOR_SCALES = 64


def find_near_copies(records: Sequence[ImageRecord], decoding: Decoding = Decoding()) -> np.ndarray:
    """Finds the near-copies among images, see `group_near_copies`.

    Args:
        records: Images, in any order; files are compared in the natural order of their paths.
        decoding: `Decoding`.

    Returns:
        int array `(n,)`, equal numbers for near-copies.

    Raises:
        InputError: If a file went bad, or the backbone's weights are missing.
    """
    order = natural_order([record.relative_path for record in records])
    groups = np.arange(len(records))
    if len(records) > 2:  # two differ from their average by the opposite of each other
        ordered = [records[position] for position in order]
        groups[order] = group_near_copies(describe_images(ordered, decoding))
    return groups


def copy_finder(config: DataConfig) -> FindCopies:
    """Returns `find_near_copies` for files that are read as a configuration says."""
    return functools.partial(find_near_copies, decoding=config.decoding)


def describe_images(records: Sequence[ImageRecord], decoding: Decoding = Decoding()) -> np.ndarray:
    """Returns descriptors whose product is the likeness of two images.

    The descriptor of a tap is its features place by place, less each channel's average over the
    image, which is a matter of lighting, and less the average image. Random signs and sums shorten
    it; products stay what they were, but for an error of 0.01 to 0.02. Both taps count alike.

    Args:
        records: Images.
        decoding: `Decoding`.

    Returns:
        float16 array `(n, numbers)`, of length 1, or 0 for an image that equals the average.
    """
    spread = records[:: -(-len(records) // _FOR_SCALES)]
    batches = list(_read_features(spread, decoding))
    scales = [_channel_scales(np.concatenate(tap)) for tap in zip(*batches, strict=True)]
    if len(spread) < len(records):
        batches = _read_features(records, decoding)
    width = max(1, min(MAX_WIDTH, MAX_BYTES // (2 * len(_TAPS) * len(records))))
    table = np.empty((len(records), len(_TAPS), width), "float16")
    sketches = [
        _draw_sketch(width, math.prod(grid), seed) for seed, grid in enumerate(_load_features()[1])
    ]
    start = 0
    for taps in batches:
        for number, (features, scale) in enumerate(zip(taps, scales, strict=True)):
            maps = (features / scale).reshape(len(features), -1)
            table[start : start + len(maps), number] = (sketches[number] @ maps.T).T
        start += len(taps[0])
    _standardize(table)
    return table.reshape(len(records), -1)


def _channel_scales(maps):
    deviation = maps.std(axis=(0, 1, 2))
    # A channel that is all but constant says nothing, and must not become loud.
    return deviation + 0.05 * maps.std() + 1e-9


def _read_features(records, decoding):
    """Yields for each batch the features of each tap, each channel of mean 0 over each image."""
    compute, _ = _load_features()
    resize = Geometry(SIDE, SIDE).resize
    # Not by `tf.data`: to build its graph takes longer than to read some hundred photos.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(records), _BATCH):
            batch = records[start : start + _BATCH]
            images = pool.map(lambda record: decode_file(record, decoding, resize)[0], batch)
            yield [np.asarray(tap) for tap in compute(tf.stack(list(images)))]


@functools.cache
def _load_features():
    """Returns a function from images to features, and the shape of each tap of one image."""
    backbone = build_backbone("efficientnet_lite0", (SIDE, SIDE, 3), _TAPS)

    def compute(images):
        taps = backbone(images, training=False).values()
        return [tap - tf.reduce_mean(tap, axis=(1, 2), keepdims=True) for tap in taps]

    shapes = [tuple(tap.shape[1:]) for tap in backbone.output.values()]
    return compiled(compute, input_signature=[tf.TensorSpec((None, SIDE, SIDE, 3))]), shapes


def _draw_sketch(width, size, seed):
    """Returns a sparse matrix `(width, size)` that adds each number, or its opposite, to one sum.

    Products are kept on average, see Charikar, Chen and Farach-Colton, "Finding frequent items in
    data streams", 2002.
    """
    rng = np.random.default_rng(seed)
    signs = rng.choice(np.float32([-1.0, 1.0]), size)
    return csr_matrix((signs, (rng.integers(0, width, size), np.arange(size))), (width, size))


def _standardize(table):
    """Takes the average image away and gives each descriptor the length 1, in place."""
    average = table.mean(axis=0, dtype="float64").astype("float32")
    for start in range(0, len(table), 1024):
        rows = table[start : start + 1024].astype("float32") - average
        lengths = np.linalg.norm(rows, axis=-1, keepdims=True) * np.sqrt(len(_TAPS))
        table[start : start + 1024] = rows / np.maximum(lengths, 1e-9)
