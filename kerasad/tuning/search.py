"""A search in a folder: started, continued after an interruption, and what it tells."""

import contextlib
import dataclasses
import hashlib
import logging
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner
import tensorflow as tf

from kerasad.data.category import Category
from kerasad.errors import InputError, SearchFailedError, check_choice
from kerasad.files import read_json, refuse_other_work, work_folder, write_json
from kerasad.training.building import (
    calibrates_crosswise,
    check_before_training,
    choose_overlap,
    open_category,
)
from kerasad.training.config import RunConfig
from kerasad.training.locations import with_full_paths
from kerasad.tuning.hypermodel import DetectorHyperModel
from kerasad.tuning.objective import OBJECTIVE
from kerasad.tuning.oracles import BayesianOracle, HyperbandOracle, RandomOracle
from kerasad.tuning.running import TRIALS, WEIGHTS, read_trials, run_trials
from kerasad.version import __version__

SEARCH = "search.json"
BEST = "best_config.json"
TUNERS = ("random", "bayesian", "hyperband")


@dataclass(frozen=True)
class Search:
    """A finished search.

    Args:
        path: Path. Its folder.
        rows: list of dict, see `kerasad.tuning.running.run_trials`.
        best: RunConfig. The configuration of the best trial.
    """

    path: Path
    rows: list[dict[str, Any]]
    best: RunConfig


def tune(
    config: RunConfig,
    output: str | Path,
    *,
    trials: int = 10,
    tuner: str = "random",
    overwrite: bool = False,
    echo: Callable[[str], None] = print,
    verbose: int = 1,
) -> Search:
    """Searches for the configuration whose detector finds synthetic defects best.

    `output` gets `search.json` (the settings of the search), `trials.json` (all trials) and
    `best_config.json` (for `kerasad train --config`). Called again with the same arguments, a
    search continues where it was stopped; with more trials, it continues after its end (not
    Hyperband's, whose brackets depend on the number of trials).

    Args:
        config: RunConfig. Model arguments that it names are kept.
        output: str or Path. The folder of the search.
        trials: int. Number of trials, failed ones included.
        tuner: `"random"`, `"bayesian"` or `"hyperband"`, see `kerasad.tuning.oracles`.
        overwrite: bool. Delete an earlier search instead of continuing it.
        echo: function that prints a line of text.
        verbose: int. 0 hides progress bars.

    Returns:
        The search.

    Raises:
        InputError: The data, an argument or `output` cannot be used.
        SearchFailedError: No trial was completed; the message has the reasons.
    """
    check_choice("tuner", tuner, TUNERS)
    if trials < 1:
        raise InputError(f"`trials` must be at least 1, found {trials}.")
    crosswise = calibrates_crosswise(config)
    category = open_category(config, crosswise=False)  # the objective needs images set apart
    check_before_training(category, config)
    data = dataclasses.replace(config.data, batch_size=category.batch_size)
    config = with_full_paths(dataclasses.replace(config, data=data))
    hypermodel = DetectorHyperModel(
        category, config.model, config.training, choose_overlap(config.data, category), crosswise
    )
    config = dataclasses.replace(config, training=hypermodel.training)
    oracle = _make_oracle(tuner, trials, config)
    plan = oracle.plan(config.training.epochs)
    folder = Path(os.path.abspath(output))
    settings = _describe(config, category, trials, tuner)
    if not overwrite:
        _refuse_other_search(folder, settings)
    hypermodel.build(keras_tuner.HyperParameters())  # refuses a bad argument before any file
    with work_folder(folder, "search", (TRIALS, BEST, WEIGHTS, SEARCH), overwrite):
        write_json(folder / SEARCH, settings)
        echo(category.split_table())
        echo(describe_budget(plan, category.steps_per_epoch))
        ended = [row for row in read_trials(folder) if row["status"] != "running"]
        if ended:
            echo(f"Continuing: {len(ended)} of {trials} trials are done.")

        def tell(rows):
            _write_best(folder, hypermodel, config, rows)
            echo(describe_trial(rows, plan))

        with _without_retracing_advice():
            rows = run_trials(oracle, hypermodel, folder, tell, verbose)
        best = _write_best(folder, hypermodel, config, rows)
    _tell_result(folder, config, rows, best, echo)
    return Search(folder, rows, best)


def _make_oracle(tuner: str, trials: int, config: RunConfig):
    seed = config.training.seed
    if tuner == "hyperband":
        return HyperbandOracle(trials, seed, config.training.epochs)
    return {"random": RandomOracle, "bayesian": BayesianOracle}[tuner](trials, seed)


def _describe(config: RunConfig, category: Category, trials: int, tuner: str) -> dict[str, Any]:
    """All settings that the result of a search depends on."""
    records = (*category.index.good, *category.labelled)
    hashes = sorted({record.content_hash for record in records})
    return {
        "kerasad": __version__,
        "tuner": tuner,
        "trials": trials,
        "objective": OBJECTIVE.name,
        "data": dataclasses.asdict(config.data),
        "model": dataclasses.asdict(config.model),
        "training": dataclasses.asdict(config.training),
        "images": hashlib.sha256(" ".join(hashes).encode()).hexdigest(),
    }


def _refuse_other_search(folder: Path, settings: dict[str, Any]) -> None:
    if not (folder / SEARCH).exists():
        return
    found = read_json(folder / SEARCH)
    if settings["tuner"] != "hyperband" and settings["trials"] >= found.get("trials", 0):
        found["trials"] = settings["trials"]  # more trials continue an ended search
    refuse_other_work(folder, "search", found, settings)


def _write_best(
    folder: Path, hypermodel: DetectorHyperModel, config: RunConfig, rows: list[dict[str, Any]]
) -> RunConfig | None:
    """Writes the configuration of the best trial; the first one of equals."""
    completed = [row for row in rows if row["status"] == "completed"]
    if not completed:
        return None
    row = max(completed, key=lambda row: row[OBJECTIVE.name])
    hp = keras_tuner.HyperParameters()
    hp.values = {**row["values"], "tuner/epochs": row["epochs"]}
    model, training = hypermodel.configuration(hp)
    best = RunConfig(config.data, model, training)
    best.write(folder / BEST)
    return best


def _tell_result(folder, config, rows, best, echo) -> None:
    """Prints all trials and the next step; raises a `SearchFailedError` if there is no best one."""
    if best is None:
        reasons = dict.fromkeys(row["reason"] for row in rows if row["reason"])
        raise SearchFailedError(
            f"All {len(rows)} trials failed, so there is no best configuration: "
            f"{' | '.join(reasons)} ({folder / TRIALS} has them all.)"
        )
    echo(format_trials(rows))
    path = folder / BEST
    echo(
        f"The best configuration is in {path}. Next: kerasad train "
        f"{shlex.quote(config.data.path)} --config {shlex.quote(str(path))} --output RUN"
    )


@contextlib.contextmanager
def _without_retracing_advice():
    """TensorFlow advises against tracing again, which a new model in each trial needs."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def describe_budget(plan: list[tuple[int, int]], steps_per_epoch: int) -> str:
    """Returns the cost of a search.

    Args:
        plan: list of the first and the last epoch of each trial.
        steps_per_epoch: int.
    """
    total = sum(last - first for first, last in plan)
    longest = max(last for _, last in plan)
    if all(span == (0, longest) for span in plan):
        what = f"{len(plan)} trials of {longest} epochs"
    else:
        kinds = dict.fromkeys(plan)
        parts = [f"{plan.count(span)} from epoch {span[0]} to {span[1]}" for span in kinds]
        what = f"{len(plan)} trials ({', '.join(parts)})"
    return (
        f"Budget: {what}, {total} epochs or {total * steps_per_epoch} training steps in all, and "
        "a detector for each trial."
    )


def describe_trial(rows: list[dict[str, Any]], plan: list[tuple[int, int]]) -> str:
    """Returns the result of the last trial, and about how long the remaining ones take.

    Args:
        rows: list of dicts, see `kerasad.tuning.running.run_trials`.
        plan: list of the first and the last epoch of each trial.
    """
    row = rows[-1]
    if row["status"] == "failed":
        result = f"failed: {row['reason']}"
    else:
        values = [row[OBJECTIVE.name] for row in rows if row["status"] == "completed"]
        result = f"{row[OBJECTIVE.name]:.4f}, best {max(values):.4f}"
    epochs = sum(row["epochs"] - row["first_epoch"] for row in rows)
    rate = sum(row["seconds"] for row in rows) / max(epochs, 1)
    minutes = max(1, round(rate * sum(last - first for first, last in plan[len(rows) :]) / 60))
    left = f"about {minutes} min left" if len(rows) < len(plan) else "the last one"
    return (
        f"Trial {len(rows)} of {len(plan)}: {result}, {row['seconds']:.0f} s, {left}\n"
        f"  {_format_values(row['values'])}"
    )


def format_trials(rows: list[dict[str, Any]]) -> str:
    """Returns a table, the best trial first, failed ones last with their reasons.

    Args:
        rows: list of dicts, see `kerasad.tuning.running.run_trials`.
    """
    order = sorted(
        rows, key=lambda row: -1.0 if row[OBJECTIVE.name] is None else row[OBJECTIVE.name]
    )
    cells = [("trial", OBJECTIVE.name, "epochs", "seconds", "values")]
    for row in reversed(order):
        value = row[OBJECTIVE.name]
        cells.append(
            (
                str(row["trial"]),
                row["status"] if value is None else f"{value:.4f}",
                str(row["epochs"]),
                "-" if row["seconds"] is None else f"{row['seconds']:.0f}",
                row["reason"] or _format_values(row["values"]),
            )
        )
    *widths, _ = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for *numbers, last in cells:
        lines.append("  ".join([*map(str.rjust, numbers, widths), last]))
    return "\n".join(lines)


def _format_values(values: dict[str, Any]) -> str:
    """Returns hyperparameters as `name=value`, numbers with three digits."""
    shown = {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in values.items()}
    return " ".join(f"{name}={value}" for name, value in shown.items())
