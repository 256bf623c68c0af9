"""Plants defects among good photos and counts how many of them training tells to look at.

    python benchmarks/unusual.py DATA... [--seeds 0,1,2] [--image-size 256]

For each data set and seed, three of its defective test photos, of three kinds where there are as
many, are put among its good photos, at random places of their order. The default detector is
fitted and calibrated as `kerasad train` does it. The table tells how many of the three are among
the five most unusual photos, their ranks, and how many photos "stand out": of the three, of the
others, and of the good photos alone.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

PLANTED = 3


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--image-size", default="256")
    arguments = parser.parse_args()

    from kerasad.data import read_category

    print(
        "| data | seed | photos | among the five | ranks | standing out | of the others | clean |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for data in arguments.data:
        index = read_category(Path(data))
        clean = count_standing_out(index.good, arguments.image_size)
        for seed in map(int, arguments.seeds.split(",")):
            rng = np.random.default_rng(seed)
            planted = choose_defective(index.test, rng)
            photos = list(index.good)
            for record in planted:
                photos.insert(rng.integers(len(photos) + 1), record)
            print_row(index.name, seed, photos, arguments.image_size, clean)


def print_row(name, seed, photos, image_size, clean):
    from kerasad.detector.unusual import most_unusual, standing_out

    found, records = score(photos, image_size)
    order = most_unusual(found.scores, len(found.scores))
    is_planted = np.array([record.label == 1 for record in records])
    ranks = [rank for rank, position in enumerate(order, 1) if is_planted[position]]
    stands_out = standing_out(found.scores)
    hits = sum(rank <= 5 for rank in ranks)
    print(
        f"| {name} | {seed} | {len(photos)} | {hits} of {PLANTED} | {', '.join(map(str, ranks))} "
        f"| {stands_out[is_planted].sum()} | {stands_out[~is_planted].sum()} | {clean} |",
        flush=True,
    )


def count_standing_out(photos, image_size):
    from kerasad.detector.unusual import standing_out

    return int(standing_out(score(photos, image_size)[0].scores).sum())


def score(photos, image_size):
    """Returns `LeftOutScores` of photos, and the photos in the order of the scores."""
    from kerasad.training.building import build_model, make_detector, open_category
    from kerasad.training.config import DataConfig, ModelConfig, RunConfig

    with tempfile.TemporaryDirectory() as folder:
        for number, record in enumerate(photos):
            os.symlink(record.path, Path(folder) / f"{number:05d}{Path(record.path).suffix}")
        config = RunConfig(DataConfig(folder, image_size), ModelConfig("feature_statistics"))
        category = open_category(config)
        model = build_model(config.model, category.image_shape, seed=0)
        model.adapt(category.train_for_experts)
        _, found = make_detector(model, category, config, verbose=0)
        by_name = {f"{number:05d}": record for number, record in enumerate(photos)}
        train = category.split.train[: len(found.scores)]
    return found, [by_name[Path(record.path).stem] for record in train]


def choose_defective(test, rng):
    """Returns defective photos, of different kinds as long as there are any."""
    kinds = {}
    for position in rng.permutation(len(test)):
        if test[position].label:
            kinds.setdefault(test[position].defect, []).append(test[position])
    turns = max(map(len, kinds.values()))
    mixed = [
        records[turn] for turn in range(turns) for records in kinds.values() if turn < len(records)
    ]
    return mixed[:PLANTED]


if __name__ == "__main__":
    main()
