"""Files that both sides of the comparison with peers share. Needs only NumPy.

Pixels are raw float32 files that are read row by row, so that neither side holds all images in
memory.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

EXCHANGE, SPLITS, FEATURES = "exchange.json", "splits.json", "features.npz"
GOOD, TEST = "good.f32", "test.f32"
MASKS, VALID = "masks.npy", "valid.npy"
FIT, PREDICT, TIME, PREDICTIONS = "fit.json", "predict.json", "time.json", "predictions.npz"
BATCH_SIZES = (1, 8)


class Images:
    """Images of one size in a file: `images[i]` is float32 (height, width, 3) in [0, 1]."""

    def __init__(self, path, image_size):
        self.path = Path(path)
        self.shape = (*image_size, 3)
        self._row = 4 * int(np.prod(self.shape))
        count, rest = divmod(self.path.stat().st_size, self._row)
        if rest:
            raise ValueError(f"{path} does not hold whole images of {self.shape}.")
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(f"{self.path} has no image {index}.")
        row = np.fromfile(self.path, "<f4", self._row // 4, offset=index * self._row)
        return row.reshape(self.shape)

    def batches(self, size):
        """Yields float32 arrays (at most size, height, width, 3), in order."""
        for start in range(0, self.count, size):
            yield np.stack([self[i] for i in range(start, min(start + size, self.count))])


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_json(path, values):
    """Writes strict JSON, all or nothing."""
    path = Path(path)
    work = path.with_name(f".{path.name}.partial-{os.getpid()}")
    work.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(work, path)


def write_predictions(output, scores, maps):
    """Writes scores (images,) and maps (images, height, width), or None, in one file."""
    path = Path(output) / PREDICTIONS
    work = path.with_name(f".partial-{os.getpid()}.npz")
    arrays = {"scores": np.asarray(scores, "float32")}
    if maps is not None:
        arrays["maps"] = np.asarray(maps, "float32")
    np.savez(work, **arrays)
    os.replace(work, path)


def time_calls(calls, images, repeats, warmups=3):
    """Times several functions of a batch, alternating on the same images.

    Args:
        calls: dict of name -> function of float32 (batch, height, width, 3).
        images: `Images`.
        repeats: dict of batch size -> how often each is called.

    Returns:
        dict of name -> dict of batch size (a string) -> median milliseconds an image.
    """
    result = {name: {} for name in calls}
    for size, count in repeats.items():
        seconds = {name: [] for name in calls}
        for number in range(warmups + count):
            batch = np.stack([images[(number * size + i) % len(images)] for i in range(size)])
            for name, call in calls.items():
                started = time.perf_counter()
                call(batch)
                if number >= warmups:
                    seconds[name].append(time.perf_counter() - started)
        for name, values in seconds.items():
            result[name][str(size)] = 1000 * statistics.median(values) / size
    return result


def peak_memory_mb():
    """The peak memory of this process in MB, or None where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return None


def add_arguments(parser):
    """Adds what the driver tells each side."""
    parser.add_argument("step", choices=("fit", "predict", "time"))
    parser.add_argument("--exchange", required=True, type=Path, help="folder that both sides read")
    parser.add_argument("--output", required=True, type=Path, help="folder of this model")
    parser.add_argument("--model", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--settings", type=json.loads, default={}, help="of this model, as JSON")
    parser.add_argument("--threads", type=int, help="of computation; default: the library's")
    parser.add_argument("--repeats", type=int, nargs=2, default=(40, 15), help="at batch 1 and 8")


def run_step(arguments, steps):
    """Runs a step, and writes what it returns beside its peak of memory, all or nothing."""
    arguments.output.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    values = steps[arguments.step](arguments)
    values |= {
        "peak_memory_mb": peak_memory_mb(),
        # What other work there was before, in cores: with some, times say little.
        "load_before": round(load, 2),
        "python": sys.version.split()[0],
    }
    name = {"fit": FIT, "predict": PREDICT, "time": TIME}[arguments.step]
    write_json(arguments.output / name, values)
