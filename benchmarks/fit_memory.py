"""Memory and time of the default detector's fit as the number of good images grows.

    python benchmarks/fit_memory.py --images 200 2000 20000

Writes small images into a temporary folder and fits and calibrates `feature_statistics` as `kerasad
train` does it, near-copies included, in one fresh process a row. Peak memory should stop growing
when the memory for decoded images (`--cache-megabytes`), that for tensors and that for maps
(`kerasad/detector/left_out.py`) are used up. Rows are appended to the output file; rows that it
already holds are not measured again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from input_pipeline import write_images
from results import append_row, find_row, markdown_table, read_rows

STAGES = ("start", "opened", "channels measured", "fitted")


def main():
    arguments = parse_arguments()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, json.loads(arguments.settings))))
        return
    shared = {name: getattr(arguments, name) for name in ("image_size", "cache_megabytes")}
    wanted = [{"images": images, **shared} for images in arguments.images]
    with tempfile.TemporaryDirectory() as folder:
        for settings in wanted:
            if find_row(read_rows(arguments.output), settings) is None:
                write_images(Path(folder), settings["images"], settings["image_size"])
                row = {**settings, **measure_apart(folder, settings)}
                print(append_row(arguments.output, row), flush=True)
    rows = [find_row(read_rows(arguments.output), settings) for settings in wanted]
    titles = [f"{stage}, MiB" for stage in STAGES]
    cells = [(row["images"], *row["megabytes"], row["seconds"]) for row in rows]
    print(markdown_table(["images", *titles, "seconds"], cells))


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", default="fit_memory.jsonl", help="JSON lines to append to")
    parser.add_argument("--images", type=int, nargs="+", default=[200, 2000, 20_000], metavar="N")
    parser.add_argument("--image-size", type=int, default=64, help="side in pixels")
    parser.add_argument("--cache-megabytes", type=int, default=64)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--settings", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure_apart(folder, settings):
    command = [sys.executable, __file__, "--measure", folder, "--settings", json.dumps(settings)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def measure(folder, settings):
    """Fits a detector to all images of the folder; returns the peak memory after each stage."""
    from kerasad.memory import peak_memory_mb
    from kerasad.training.building import build_model, make_detector, open_category
    from kerasad.training.config import DataConfig, ModelConfig, RunConfig

    size, cache = str(settings["image_size"]), settings["cache_megabytes"]
    config = RunConfig(
        DataConfig(folder, size, cache_megabytes=cache), ModelConfig("feature_statistics")
    )
    started, peaks = time.perf_counter(), [peak_memory_mb()]
    category = open_category(config)
    peaks.append(peak_memory_mb())
    model = build_model(config.model, category.image_shape, seed=0)
    model.adapt(category.train_for_experts)
    peaks.append(peak_memory_mb())
    make_detector(model, category, config, verbose=0)
    peaks.append(peak_memory_mb())
    return {
        "megabytes": [round(peak) for peak in peaks],
        "seconds": round(time.perf_counter() - started),
    }


if __name__ == "__main__":
    main()
