"""Finds the groups of near-copies among good images, as `train` and `inspect-data` do.

    python benchmarks/groups.py DATA...

Prints, for each data set, the good images, the groups, the largest group, the seconds for features
(reading the images included) and those for the groups. With `--jitter N`, only every `N`-th good
image is taken, together with three near-copies of it: shifted by up to 2 pixels, brighter or darker
by up to 10 %, with noise of 5 grey levels. They are searched in order and shuffled.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+")
    parser.add_argument("--jitter", type=int, metavar="N")
    arguments = parser.parse_args()

    from kerasad.data import read_category

    print("| data | good images | groups | largest | features, s | groups, s |")
    print("|---|---|---|---|---|---|")
    for data in arguments.data:
        records = read_category(data).good
        name = "/".join(Path(data).resolve().parts[-2:])
        if arguments.jitter:
            with tempfile.TemporaryDirectory() as folder:
                for order in ("in order", "shuffled"):
                    copies = write_copies(
                        records[:: arguments.jitter], Path(folder) / order, order == "shuffled"
                    )
                    print_row(f"{name}, 4 photos of each, {order}", copies)
        else:
            print_row(name, records)


def print_row(name, records):
    from kerasad.data.near_copies import group_near_copies, natural_order
    from kerasad.training.near_copies import describe_images

    describe_images(records[:16])  # the backbone is built once
    start = time.perf_counter()
    order = natural_order([record.relative_path for record in records])
    descriptors = describe_images([records[position] for position in order])
    described = time.perf_counter()
    sizes = Counter(group_near_copies(descriptors).tolist())
    seconds = (described - start, time.perf_counter() - described)
    print(
        f"| {name} | {len(records)} | {len(sizes)} | {max(sizes.values())} | {seconds[0]:.2f} "
        f"| {seconds[1]:.2f} |",
        flush=True,
    )


def write_copies(records, folder, shuffled):
    from kerasad.data import read_images
    from kerasad.data.decoding import decode_file

    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"{number:04d}" for number in range(4 * len(records))]
    if shuffled:
        rng.shuffle(names)
    for number, record in enumerate(records):
        pixels = np.asarray(decode_file(record))
        for copy in range(4):
            image = pixels if copy == 0 else jitter(pixels, rng)
            image = Image.fromarray((255 * np.clip(image, 0, 1)).round().astype("uint8"))
            image.save(folder / f"{names[4 * number + copy]}.png")
    return read_images(folder)[0]


def jitter(pixels, rng):
    from scipy import ndimage

    shifted = ndimage.shift(pixels, (*rng.uniform(-2, 2, 2), 0), order=1, mode="nearest")
    return shifted * rng.uniform(0.9, 1.1) + rng.normal(0, 5 / 255, pixels.shape)


if __name__ == "__main__":
    main()
