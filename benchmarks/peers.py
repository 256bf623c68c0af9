"""anomalib's models and kerasad's side by side: accuracy, time, memory and size in one table.

    bash benchmarks/peers.sh ../shared/data/mvtec/bottle ../shared/data/magnetic_tile \\
        --stretch magnetic_tile --max-train magnetic_tile=400 --coreset magnetic_tile=0.005

`peers.sh` makes both virtual environments and starts this file in kerasad's. Every training, every
prediction and every measurement of time has a process of its own; they alternate between anomalib
and kerasad, and all read the same pixels. Scores and maps of all models are judged by
`kerasad.metrics`, raw. The output folder gets `rows.jsonl`, from which a stopped comparison goes
on, `peers.md` and `peers.json`; trained models stay in its folder `work`.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from jsonl import append_row, find_row, read_rows
from peers_data import category_name, prepare
from peers_exchange import (
    FIT,
    MASKS,
    PREDICT,
    PREDICTIONS,
    TIME,
    VALID,
    read_json,
    write_json,
)
from peers_table import ANOMALIB, KERASAD, build_table, format_page

HERE = Path(__file__).parent
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
    failed = []
    for category in categories.values():
        for seed, (side, model) in itertools.product(
            arguments.seeds, alternate(arguments.peers, arguments.models)
        ):
            attempt(failed, category.measure, side, model, seed)
            write_table(arguments, categories)
        for number in range(arguments.rounds):
            for side, model in round_order(arguments.peers, arguments.models, number):
                attempt(failed, category.time, side, model, number)
        write_table(arguments, categories)
    print("\n" + (arguments.output / "peers.md").read_text(encoding="utf-8"))
    for reason in failed:
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
        from kerasad.training import MODELS

        arguments.models = tuple(name for name in OURS if name in MODELS)
    unknown = set(arguments.peers) - set(PEERS)
    if unknown:
        parser.error(f"There is no peer {unknown.pop()!r}; there is {', '.join(PEERS)}.")
    return arguments


def names(text):
    return tuple(name for name in text.split(",") if name)


def value_for(values, category, kind):
    """Returns what a list of VALUE and NAME=VALUE says for a category, or None.

    The last one counts, one with the category's name before one for all.
    """
    named = [text.split("=", 1)[1] for text in values if text.startswith(f"{category}=")]
    shared = [text for text in values if "=" not in text]
    found = (named or shared)[-1:]
    return kind(found[0]) if found else None


def alternate(peers, models):
    """Returns each model once, anomalib's and kerasad's in turn."""
    pairs = itertools.zip_longest(peers, models)
    order = [turn for peer, ours in pairs for turn in ((ANOMALIB, peer), (KERASAD, ours))]
    return [(side, model) for side, model in order if model is not None]


def round_order(peers, models, number):
    """Returns a round of measurements of time: A B A B, and B A B A in the next one.

    The side with fewer models repeats them, so that each measurement of one side has one of the
    other beside it.
    """
    if not peers or not models:
        return alternate(peers, models)
    order = []
    for turn in range(max(len(peers), len(models))):
        pair = [(ANOMALIB, peers[turn % len(peers)]), (KERASAD, models[turn % len(models)])]
        order += pair[::-1] if number % 2 else pair
    return order


def attempt(failed, step, side, model, number):
    try:
        step(side, model, number)
    except subprocess.CalledProcessError as error:
        failed.append(f"{side} {model} failed with exit code {error.returncode}; see above.")
        print(failed[-1], file=sys.stderr, flush=True)


class Category:
    """One category: where its models are, and the rows that are measured of it."""

    def __init__(self, arguments, data, name):
        self.arguments = arguments
        self.name = name
        self.rows_path = arguments.output / "rows.jsonl"
        stretched = arguments.stretch is not None and (
            not arguments.stretch or name in arguments.stretch
        )
        self.max_train = value_for(arguments.max_train, name, int)
        self.coreset = value_for(arguments.coreset, name, float)
        parts = [name, arguments.image_size]
        parts += ["stretched"] * stretched
        parts += [f"train{self.max_train}"] if self.max_train is not None else []
        self.folder = arguments.output / "work" / "_".join(parts)
        self.key = {
            "data": name,
            "image_size": str(arguments.image_size),
            "stretch": stretched,
            "max_train": self.max_train,
            "threads": arguments.threads,
        }
        self.exchange = self.folder / "exchange"
        self.description = prepare(
            self.exchange, data, arguments.image_size, stretched, self.max_train, arguments.seeds
        )

    def settings(self, side, model):
        """What of a model can be chosen, and is."""
        if side == KERASAD:
            return {"epochs": self.arguments.epochs}
        own = {
            "padim": {"features": self.arguments.padim_features},
            "patchcore": {"coreset": self.coreset},
            "stfpm": {"epochs": self.arguments.stfpm_epochs},
            "ganomaly": {"epochs": self.arguments.ganomaly_epochs},
        }
        return {"see": self.arguments.see, **own[model]}

    def identity(self, kind, side, model, seed):
        """What tells a row from others."""
        settings = self.settings(side, model)
        return {
            "kind": kind,
            **self.key,
            "side": side,
            "model": model,
            "seed": seed,
            "settings": settings,
        }

    def measure(self, side, model, seed):
        """Trains, predicts and judges a model, unless there is a row of it."""
        key = self.identity("accuracy", side, model, seed)
        if find_row(read_rows(self.rows_path), key) is not None:
            return
        folder = self.fit(side, model, seed)
        self.run(side, model, seed, "predict")
        found = {**read_json(folder / FIT), **judge(self.exchange, self.description, folder)}
        found["fit_memory_mb"] = found.pop("peak_memory_mb")
        found["load_before_fit"] = found.pop("load_before")
        found["predict_memory_mb"] = read_json(folder / PREDICT)["peak_memory_mb"]
        append_row(self.rows_path, {**key, **found})

    def time(self, side, model, number):
        """Measures the times of the model of the first seed, unless this round has them."""
        seed = self.arguments.seeds[0]
        key = {**self.identity("time", side, model, seed), "round": number}
        rows = [row for row in read_rows(self.rows_path) if find_row([row], key)]
        order = round_order(self.arguments.peers, self.arguments.models, number)
        if len(rows) >= order.count((side, model)):
            return
        folder = self.fit(side, model, seed)
        self.run(side, model, seed, "time")
        append_row(self.rows_path, {**key, **read_json(folder / TIME)})

    def fit(self, side, model, seed):
        """Trains a model unless it is there; returns its folder."""
        folder = self.model_folder(side, model, seed)
        if not (folder / FIT).is_file():
            self.run(side, model, seed, "fit")
        return folder

    def model_folder(self, side, model, seed):
        """Where a trained model and what it predicts are."""
        chosen = {**self.settings(side, model), "threads": self.arguments.threads, "seed": seed}
        parts = [f"{name}{value}" for name, value in chosen.items() if value is not None]
        return self.folder / "_".join([side, model, *parts])

    def run(self, side, model, seed, step):
        """Runs a step in a fresh process of its side's Python."""
        print(f"--- {self.name}: {side} {model}, seed {seed}, {step}", flush=True)
        python = [sys.executable]
        if side == ANOMALIB:  # whose packages warn of each other
            python = [self.arguments.peers_python, "-W", "ignore"]
        command = [*python, str(HERE / f"peers_{side}.py"), step]
        command += ["--exchange", str(self.exchange.absolute()), "--model", model]
        command += ["--output", str(self.model_folder(side, model, seed).absolute())]
        command += ["--seed", str(seed), "--settings", json.dumps(self.settings(side, model))]
        if self.arguments.threads is not None:
            command += ["--threads", str(self.arguments.threads)]
        if side == ANOMALIB and step == "fit":
            command.append("--check")
        subprocess.run(command, check=True)


def judge(exchange, description, folder):
    """Returns the metrics of a model's scores and maps; those of maps are None without maps."""
    import numpy as np

    from kerasad.metrics.defect_groups import DefectGroups

    with np.load(folder / PREDICTIONS) as file:
        scores, maps = file["scores"], file["maps"] if "maps" in file.files else None
    masks = np.load(exchange / MASKS, mmap_mode="r")
    weights = np.ones(masks.shape, "float32")
    if description["padded"]:
        weights *= np.load(exchange / VALID)
    weights *= np.array(description["has_mask"])[:, None, None, None]
    groups = DefectGroups()
    for start in range(0, len(scores), 32):
        part = slice(start, start + 32)
        own = np.zeros(masks[part].shape, "float32") if maps is None else maps[part][..., None]
        names_ = description["defects"][part]
        groups.update(names_, scores[part], np.array(masks[part]), own, weights[part])
    values, _ = groups.over_all()
    wanted = {"image_auroc": True, "pixel_auroc": False, "aupro": False, "iou_oracle": False}
    return {
        name: values[name]
        if np.isfinite(values[name]) and (maps is not None or of_images)
        else None
        for name, of_images in wanted.items()
    }


def write_table(arguments, categories):
    """Writes the table of what was asked for, as far as it is measured."""
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
