"""Memory and speed of the input pipeline as the number of training images grows.

    python benchmarks/input_pipeline.py --output input_pipeline.jsonl

Writes noise images into a temporary folder, then iterates training epochs in one fresh process a
row, with a small memory budget. Peak memory should stop growing once the budget is used up. Rows
are appended to the output file; rows that it already holds are not measured again.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import append_row, find_row, read_rows

KEYS = ("images", "image_size", "crop_size", "cache_megabytes", "batch_size", "epochs")


def main():
    arguments = parse_arguments()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, json.loads(arguments.settings))))
        return
    rows = read_rows(arguments.output)
    shared = {name: getattr(arguments, name) for name in KEYS if name != "images"}
    wanted = [{"images": images, **shared} for images in arguments.images]
    with tempfile.TemporaryDirectory() as folder:
        for settings in wanted:
            if find_row(rows, settings):
                continue
            write_images(Path(folder), settings["images"], settings["image_size"])
            row = {**settings, **measure_apart(folder, settings)}
            rows.append(append_row(arguments.output, row))
    print_table([find_row(rows, settings) for settings in wanted])


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="input_pipeline.jsonl", help="JSON lines to append to")
    parser.add_argument("--images", type=int, nargs="+", default=[100, 400, 1600], metavar="N")
    parser.add_argument("--image-size", type=int, default=256, help="side in pixels")
    parser.add_argument("--crop-size", type=int, help="train on crops of this side")
    parser.add_argument("--cache-megabytes", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--settings", help=argparse.SUPPRESS)
    return parser.parse_args()


def write_images(folder, count, size):
    """Adds PNGs of coarse noise, as large on disk as photographs, until there are `count`."""
    import numpy as np
    from PIL import Image

    for index in range(len(list(folder.glob("*.png"))), count):
        rng = np.random.default_rng(index)
        coarse = Image.fromarray(rng.integers(0, 256, (size // 8, size // 8, 3), dtype="uint8"))
        pixels = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), "int16")
        pixels = np.clip(pixels + rng.integers(-4, 5, pixels.shape), 0, 255).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{index:05d}.png", compress_level=1)


def measure_apart(folder, settings):
    command = [sys.executable, __file__, "--measure", folder, "--settings", json.dumps(settings)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def measure(folder, settings):
    """Iterates epochs over the first images of the folder, in this process."""
    import tensorflow as tf

    from kerasad.data import read_images
    from kerasad.data.geometry import plan_geometry
    from kerasad.data.pipeline import make_train_dataset
    from kerasad.data.source import ImageSource

    started = time.perf_counter()
    paths = sorted(Path(folder).glob("*.png"))[: settings["images"]]
    records, _ = read_images(paths)
    index_seconds, after_index = time.perf_counter() - started, peak_megabytes()
    source = ImageSource(
        records,
        plan_geometry(records, settings["image_size"]),
        cache_bytes=settings["cache_megabytes"] * 2**20,
    )
    crop = settings["crop_size"]
    dataset = make_train_dataset(
        source, settings["batch_size"], crop_size=(crop, crop) if crop else None
    )
    seconds = []
    for _ in range(settings["epochs"]):
        started = time.perf_counter()
        shown = sum(len(images) for images in dataset)
        seconds.append(time.perf_counter() - started)
    return {
        "cached_images": source.num_cached,
        "peak_megabytes": round(peak_megabytes(), 1),
        "peak_megabytes_after_index": round(after_index, 1),
        "index_seconds": round(index_seconds, 3),
        "milliseconds_per_image": round(1000 * min(seconds) / shown, 3),
        "tensorflow": tf.__version__,
    }


def peak_megabytes():
    """Returns the largest resident memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def print_table(rows):
    columns = ("images", "cached_images", "peak_megabytes", "milliseconds_per_image")
    titles = ("images", "in memory", "peak MiB", "ms an image")
    print("".join(f"{title:>14}" for title in titles))
    for row in rows:
        print("".join(f"{row[column]:>14}" for column in columns))


if __name__ == "__main__":
    main()
