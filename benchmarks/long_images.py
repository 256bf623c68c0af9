"""Memory and time of predictions on large photos in tiles, as the number of photos grows.

    python benchmarks/long_images.py --counts 8 32 --output long_images.jsonl

Writes photos of 2000 x 800 pixels (mirrored and shifted demo gravel), trains on a few of them with
`--image-size 800x2000 --tile 256`, and predicts on more and more of them, each time in a process of
its own, whose peak memory and seconds are one row.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from results import append_row, markdown_table

PREDICT = """
import json, sys
from kerasad.cli import main
from kerasad.memory import peak_memory_mb
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print("PEAK", json.dumps(peak_memory_mb()))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--size", default="800x2000", help="height and width")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--output", default="long_images.jsonl", help="JSON lines to append to")
    arguments = parser.parse_args()
    height, width = (int(side) for side in arguments.size.split("x"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_photos(folder / "good", 12, height, width, seed=0)
        options = ["--image-size", arguments.size, "--tile", "256", "--epochs", arguments.epochs]
        words = ["train", folder / "good", "--output", folder / "run", *options]
        run("from kerasad.cli import main; main()", words)
        for count in arguments.counts:
            write_photos(folder / f"new_{count}", count, height, width, seed=count)
            started = time.perf_counter()
            words = ["predict", folder / "run", folder / f"new_{count}"]
            text = run(PREDICT, [*words, "--output", folder / f"out_{count}"])
            seconds = time.perf_counter() - started
            peak = json.loads(text.rsplit("PEAK ", 1)[1])
            row = {"images": count, "size": arguments.size, "peak_memory_mb": peak}
            rows.append(append_row(arguments.output, {**row, "seconds": round(seconds, 1)}))
    names = ("images", "size", "peak_memory_mb", "seconds")
    print(markdown_table(names, [[row[name] for name in names] for row in rows]))


def write_photos(folder, count, height, width, seed):
    """Writes photos cut at random places from a mirrored photo of gravel."""
    from PIL import Image

    from kerasad.synthetic.demo import load_photograph

    photograph = load_photograph("gravel")
    if photograph.ndim == 2:
        photograph = np.repeat(photograph[..., None], 3, axis=-1)
    side = max(photograph.shape[:2])
    wide = np.pad(photograph, ((0, height + side), (0, width + side), (0, 0)), mode="symmetric")
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    for number in range(count):
        top, left = generator.integers(0, side, size=2)
        photo = wide[top : top + height, left : left + width]
        Image.fromarray(photo.astype("uint8")).save(folder / f"{number:03d}.png")


def run(code, words):
    """Runs Python code with arguments; returns what it printed."""
    command = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))} failed with exit code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
