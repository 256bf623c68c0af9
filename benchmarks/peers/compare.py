"""anomalib's models and kerasad's side by side: accuracy, time, memory and size in one table.

    bash benchmarks/peers/run.sh ../shared/data/mvtec/bottle ../shared/data/magnetic_tile \\
        --stretch magnetic_tile --max-train magnetic_tile=400 --coreset magnetic_tile=0.005

`run.sh` makes both virtual environments and starts this file in kerasad's. Every training, every
prediction and every measurement of time has a process of its own; they alternate between anomalib
and kerasad, and all read the same pixels. `kerasad.metrics` evaluates the
raw scores and maps of all models. The output folder gets `rows.jsonl`, from which a stopped
comparison continues, `peers.md` and `peers.json`; trained models stay in its folder `work`. Rows
that are there are not measured again: after a change of kerasad, choose another folder.
"""

import argparse
import itertools
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from peers.category import Category
from peers.data import category_name
from peers.exchange import read_json, write_json
from peers.table import build_table, format_page
from peers.turns import alternate, round_order
from results import find_row, read_rows

PEERS = ("padim", "patchcore", "stfpm", "ganomaly")
OURS = ("feature_vae_gan", "vae_gan")


def main():
    arguments = parse_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    categories = {}
    for data in arguments.data:
        name = category_name(data)
        if name in categories:
            raise SystemExit(f"Two categories are called {name}: rename the folder of one.")
        categories[name] = Category(arguments, data, name)
    failed = {}
    for category in categories.values():
        for seed, (side, model) in itertools.product(
            arguments.seeds, alternate(arguments.peers, arguments.models)
        ):
            attempt(failed, category, side, model, category.measure, seed)
            write_table(arguments, categories)
        for number in range(arguments.rounds):
            for side, model in round_order(arguments.peers, arguments.models, number):
                attempt(failed, category, side, model, category.time, number)
        write_table(arguments, categories)
    print("\n" + (arguments.output / "peers.md").read_text(encoding="utf-8"))
    for reason in failed.values():
        print(reason, file=sys.stderr)
    sys.exit(1 if failed else 0)


def parse_arguments(words=None):
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="VALUE is for all categories, NAME=VALUE for one.",
    )
    parser.add_argument("data", nargs="+", help="categories in MVTec layout, or demo/NAME")
    parser.add_argument("--peers-python", required=True, help="Python of anomalib's environment")
    parser.add_argument("--output", type=Path, default=Path("runs/peers"), help="folder")
    parser.add_argument("--image-size", default="256")
    parser.add_argument("--peers", type=names, default=PEERS, help=",".join(PEERS))
    parser.add_argument("--models", type=names, help=f"of kerasad, default {','.join(OURS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rounds", type=int, default=3, help="of measuring times")
    parser.add_argument(
        "--stretch", nargs="*", metavar="NAME", help="do not keep aspect ratios; no NAME: of all"
    )
    parser.add_argument(
        "--max-train",
        nargs="+",
        default=[],
        metavar="[NAME=]VALUE",
        help="use so few good images that kerasad's split trains on so many",
    )
    parser.add_argument(
        "--coreset",
        nargs="+",
        default=["0.02"],
        metavar="[NAME=]VALUE",
        help="share of the cells that PatchCore remembers",
    )
    parser.add_argument(
        "--see",
        choices=("all", "train"),
        default="train",
        help="what peers learn from: the good images that kerasad trains on, or also those that it "
        "keeps for scales and thresholds",
    )
    parser.add_argument("--padim-features", type=int, default=100)
    parser.add_argument("--stfpm-epochs", type=int, default=8)
    parser.add_argument("--ganomaly-epochs", type=int, default=2)
    parser.add_argument("--epochs", type=int, help="of kerasad's models instead of their default")
    parser.add_argument("--threads", type=int, help="of each side's library; default: its own")
    arguments = parser.parse_args(words)
    if arguments.models is None:
        from kerasad.training.recipes import RECIPES

        arguments.models = tuple(name for name in OURS if name in RECIPES)
    unknown = set(arguments.peers) - set(PEERS)
    if unknown:
        parser.error(f"There is no peer {unknown.pop()!r}; there is {', '.join(PEERS)}.")
    return arguments


def names(text):
    return tuple(name for name in text.split(",") if name)


def attempt(failed, category, side, model, step, number):
    """Runs a step of a model unless an earlier one failed; a failure is recorded."""
    identity = (category.name, side, model)
    if identity in failed:
        return
    try:
        step(side, model, number)
    except subprocess.CalledProcessError as error:
        failed[identity] = f"{' '.join(identity)} failed with exit code {error.returncode}."
        print(failed[identity], file=sys.stderr, flush=True)


def write_table(arguments, categories):
    """Writes the table of the rows that are measured so far."""
    rows = read_rows(arguments.output / "rows.jsonl")
    sections = []
    for category in categories.values():
        own = []
        for side, model in alternate(arguments.peers, arguments.models):
            accuracy = [
                find_row(rows, category.identity("accuracy", side, model, seed))
                for seed in arguments.seeds
            ]
            key = category.identity("time", side, model, arguments.seeds[0])
            times = [row for row in rows if find_row([row], key)]
            times = [row for row in times if row["round"] < arguments.rounds]
            own.append({"side": side, "model": model, "accuracy": accuracy, "times": times})
        check = category.exchange / "features_check.json"
        sections.append(
            {
                **category.key,
                "size": category.description["image_size"],
                "padded": category.description["padded"],
                "num_good": category.description["num_good"],
                "num_test": len(category.description["defects"]),
                "without_mask": category.description["has_mask"].count(False),
                "features_check": read_json(check) if check.is_file() else None,
                "models": own,
            }
        )
    table = build_table(sections, arguments.seeds)
    write_json(arguments.output / "peers.json", table)
    (arguments.output / "peers.md").write_text(format_page(table), encoding="utf-8")


if __name__ == "__main__":
    main()
