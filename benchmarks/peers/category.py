"""One category of the comparison with peers: trains, evaluates and times its models."""

import json
import os
import subprocess
import sys
from pathlib import Path

from peers.data import prepare
from peers.exchange import FIT, MASKS, PREDICT, PREDICTIONS, TIME, VALID, read_json
from peers.table import ANOMALIB, KERASAD
from peers.turns import round_order
from results import append_row, find_row, read_rows

BENCHMARKS = Path(__file__).parents[1]


class Category:
    """One category: the folder of its models, and its rows."""

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
        """The settings of a model."""
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
        """The key of a row."""
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
        """Trains and evaluates a model, unless there is a row of it."""
        key = self.identity("accuracy", side, model, seed)
        if find_row(read_rows(self.rows_path), key) is not None:
            return
        folder = self.fit(side, model, seed)
        self.run(side, model, seed, "predict")
        found = {**read_json(folder / FIT), **evaluate(self.exchange, self.description, folder)}
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
        """Trains a model unless that is done; returns its folder."""
        folder = self.model_folder(side, model, seed)
        if not (folder / FIT).is_file():
            self.run(side, model, seed, "fit")
        return folder

    def model_folder(self, side, model, seed):
        """The folder of a trained model and its predictions."""
        chosen = {**self.settings(side, model), "threads": self.arguments.threads, "seed": seed}
        parts = [f"{name}{value}" for name, value in chosen.items() if value is not None]
        return self.folder / "_".join([side, model, *parts])

    def run(self, side, model, seed, step):
        """Runs a step in a fresh process of its side's Python."""
        print(f"--- {self.name}: {side} {model}, seed {seed}, {step}", flush=True)
        python = [sys.executable]
        if side == ANOMALIB:  # whose packages warn of each other
            python = [self.arguments.peers_python, "-W", "ignore"]
        command = [*python, "-m", f"peers.side_{side}", step]
        command += ["--exchange", str(self.exchange.absolute()), "--model", model]
        command += ["--output", str(self.model_folder(side, model, seed).absolute())]
        command += ["--seed", str(seed), "--settings", json.dumps(self.settings(side, model))]
        if self.arguments.threads is not None:
            command += ["--threads", str(self.arguments.threads)]
        if side == ANOMALIB and step == "fit":
            command.append("--check")
        environment = dict(os.environ)
        if side == ANOMALIB:  # it has its own packages, and must not need ours
            environment["PYTHONPATH"] = str(BENCHMARKS)
        subprocess.run(command, check=True, env=environment)


def evaluate(exchange, description, folder):
    """Returns the metrics of a model's scores and maps; those of maps are None without maps."""
    import numpy as np

    from kerasad.metrics.summaries import DefectGroups

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


def value_for(values, category, kind):
    """Returns the value for a category in a list of VALUE and NAME=VALUE, or None.

    The last one counts, one with the category's name before one for all.
    """
    named = [text.split("=", 1)[1] for text in values if text.startswith(f"{category}=")]
    shared = [text for text in values if "=" not in text]
    found = (named or shared)[-1:]
    return kind(found[0]) if found else None
