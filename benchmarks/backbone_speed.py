"""Time of bare backbones, alternating in one process.

    python benchmarks/backbone_speed.py efficientnet_lite0 efficientnet_lite2 dinov2_small

Each is cut behind its default taps, as in a model. Weights are random, which costs the same time;
DINOv2 small is built from its published sizes and needs keras-hub. A row has the median over the
turns in milliseconds per image, and the ratio to the first backbone.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from peers.exchange import time_calls
from results import append_row, markdown_table

COLUMNS = ("backbone", "side", "batch", "milliseconds", "ratio")
ARCHITECTURES = {
    "dinov2_small": {
        "family": "dinov2",
        "patch_size": 14,
        "num_layers": 12,
        "hidden_dim": 384,
        "num_heads": 6,
        "intermediate_dim": 1536,
        "num_register_tokens": 0,
        "position_embedding_shape": (518, 518),
    }
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backbones", nargs="+")
    parser.add_argument("--side", type=int, default=256, help="of square images, in pixels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--repeats", type=int, default=100, help="calls of each, in turns")
    parser.add_argument("--output", default="backbone_speed.jsonl", help="JSON lines to append")
    arguments = parser.parse_args()
    shape = (arguments.side, arguments.side, 3)
    calls = {name: forward(name, shape) for name in arguments.backbones}
    rows = []
    for batch in arguments.batches:
        images = np.random.default_rng(0).random((batch, *shape), "float32")
        times = time_calls(calls, images, {batch: arguments.repeats})
        first = times[arguments.backbones[0]][str(batch)]
        for name in arguments.backbones:
            found = times[name][str(batch)]
            row = {"backbone": name, "side": arguments.side, "batch": batch}
            row |= {"milliseconds": round(found, 2), "ratio": round(found / first, 3)}
            rows.append(append_row(arguments.output, row))
    print(markdown_table(COLUMNS, [[row[name] for name in COLUMNS] for row in rows]))


def forward(name, shape):
    """Returns a function from images to the features as arrays."""
    from kerasad.backbones import build_backbone
    from kerasad.tracing import compiled

    architecture = ARCHITECTURES.get(name)
    backbone = build_backbone(name, shape, weights=None, architecture=architecture)
    function = compiled(lambda images: backbone(images, training=False))
    return lambda batch: [value.numpy() for value in function(tf.constant(batch)).values()]


if __name__ == "__main__":
    main()
