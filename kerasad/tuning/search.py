"""A search in a folder: begun, continued after an interruption, and its result."""

import contextlib
import dataclasses
import hashlib
import io
import logging
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner
import tensorflow as tf
from keras_tuner.src import config as kerastuner_config

from kerasad.data.category import Category
from kerasad.errors import InputError, SearchFailedError, check_choice
from kerasad.files import write_json
from kerasad.training.category import check_before_training, open_category
from kerasad.training.config import RunConfig
from kerasad.training.locations import with_full_paths
from kerasad.tuning.folder import BEST, TRIALS, check_folder, search_folder
from kerasad.tuning.hypermodel import DetectorHyperModel
from kerasad.tuning.objective import OBJECTIVE
from kerasad.tuning.oracles import BayesianOracle, HyperbandOracle, RandomOracle
from kerasad.tuning.trials import format_trials, format_values, trial_rows
from kerasad.tuning.tuner import DetectorTuner
from kerasad.version import __version__

TUNERS = ("random", "bayesian", "hyperband")


@dataclass(frozen=True)
class Search:
    """A finished search.

    Args:
        path: Path. Its folder.
        rows: list of dict, see `trial_rows`.
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

    `output` gets `search.json` (what was asked), `trials.json` (all trials, after each of them),
    `best_config.json` (for `kerasad train --config`) and KerasTuner's state. Called again with the
    same arguments, a search goes on where it was stopped; with more trials, it goes on after its
    end (not Hyperband's, whose brackets depend on their number).

    Args:
        config: RunConfig. Model arguments that it names are kept.
        output: str or Path. The folder of the search.
        trials: int. Number of trials, failed ones included.
        tuner: `"random"`, `"bayesian"` or `"hyperband"`, see `kerasad.tuning.oracles`.
        overwrite: bool. Delete an earlier search instead of continuing it.
        echo: function of a line of text, told what happens.
        verbose: int. 0 hides progress bars.

    Returns:
        The search.

    Raises:
        InputError: The data, an argument or `output` is of no use.
        SearchFailedError: No trial was completed; the message has the reasons.
    """
    check_choice("tuner", tuner, TUNERS)
    if trials < 1:
        raise InputError(f"`trials` must be at least 1, found {trials}.")
    category = open_category(config.data, config.training.seed)
    check_before_training(category, config)
    echo(category.split_table())
    config = with_full_paths(config)
    hypermodel = DetectorHyperModel(category, config.model, config.training, config.data.overlap)
    config = dataclasses.replace(config, training=hypermodel.training)
    hypermodel.build(keras_tuner.HyperParameters())  # refuses a bad argument before any file
    asked = _describe(config, category, trials, tuner)
    folder = Path(os.path.abspath(output))
    check_folder(folder, asked, overwrite)
    oracle = _make_oracle(tuner, trials, config)
    _tell_plan(oracle, config, category, echo)
    progress = _Progress(config, folder, echo)
    with search_folder(folder, asked, overwrite):
        search = _open_tuner(oracle, hypermodel, folder, progress, verbose)
        if oracle.end_order:
            echo(f"Continuing: {len(oracle.end_order)} of {trials} trials are done.")
        try:
            with _quiet():
                search.search(verbose=0)
        except keras_tuner.errors.FatalError as error:
            if error.__cause__ is None:
                raise
            raise error.__cause__ from None
        return progress.finish(search)


def _open_tuner(oracle, hypermodel, folder, progress, verbose):
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # KerasTuner says that it reloads
            return DetectorTuner(oracle, hypermodel, folder, progress, verbose)
    except (ValueError, KeyError, TypeError, tf.errors.OpError) as error:
        raise InputError(
            f"The state of the search in {folder} is damaged ({type(error).__name__}): restore it "
            "from a copy, or pass --overwrite."
        ) from error


def _describe(config: RunConfig, category: Category, trials: int, tuner: str) -> dict[str, Any]:
    """What a search depends on."""
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


@contextlib.contextmanager
def _quiet():
    """Without what is no news to the user.

    TensorFlow advises against tracing again, which a new model in each trial must. KerasTuner
    prints the traceback of a failed trial, whose reason is told anyway.
    """
    logger = tf.get_logger()
    level, debug = logger.level, kerastuner_config.DEBUG
    logger.setLevel(logging.ERROR)
    kerastuner_config.DEBUG = False
    try:
        yield
    finally:
        logger.setLevel(level)
        kerastuner_config.DEBUG = debug


def _make_oracle(tuner, trials, config):
    seed = config.training.seed
    if tuner == "hyperband":
        return HyperbandOracle(trials, seed, config.training.epochs)
    return {"random": RandomOracle, "bayesian": BayesianOracle}[tuner](trials, seed)


def _tell_plan(oracle, config, category, echo):
    plan = oracle.plan(config.training.epochs)
    total = sum(last - first for first, last in plan)
    longest = max(last for _, last in plan)
    if all(span == (0, longest) for span in plan):
        what = f"{len(plan)} trials of {longest} epochs"
    else:
        kinds = dict.fromkeys(plan)
        parts = [f"{plan.count(span)} from epoch {span[0]} to {span[1]}" for span in kinds]
        what = f"{len(plan)} trials ({', '.join(parts)})"
    echo(
        f"Budget: {what}, {total} epochs or {total * category.steps_per_epoch} training steps in "
        "all, and a detector for each trial."
    )


class _Progress:
    """Writes the files of a search and tells about it, after each trial."""

    def __init__(self, config, folder, echo):
        self.config = config
        self.folder = folder
        self.echo = echo

    def __call__(self, tuner: DetectorTuner) -> None:
        rows = trial_rows(tuner)
        self.write(tuner, rows)
        row = rows[tuner.oracle.start_order.index(tuner.oracle.end_order[-1])]
        value = row[OBJECTIVE.name]
        best = max((r[OBJECTIVE.name] for r in rows if r[OBJECTIVE.name] is not None), default=None)
        result = f"failed: {row['reason']}" if value is None else f"{value:.4f}"
        if value is not None:
            result += f", best {best:.4f}"
        self.echo(
            f"Trial {row['trial']} of {tuner.oracle.max_trials}: {result}, {row['seconds']:.0f} s, "
            f"{self._left(tuner, rows)}\n  {format_values(row['values'])}"
        )

    def _left(self, tuner, rows):
        done = [row for row in rows if row["seconds"] is not None]
        epochs = sum(row["epochs"] - row["first_epoch"] for row in done)
        plan = tuner.oracle.plan(self.config.training.epochs)[len(rows) :]
        rate = sum(row["seconds"] for row in done) / max(epochs, 1)
        minutes = max(1, round(rate * sum(last - first for first, last in plan) / 60))
        return f"about {minutes} min left" if plan else "the last one"

    def write(self, tuner, rows):
        write_json(self.folder / TRIALS, rows)
        if (best := self.best(tuner)) is not None:
            best.write(self.folder / BEST)

    def best(self, tuner) -> RunConfig | None:
        # In the order of their beginning: of equals the same one, continued or not.
        trials = map(tuner.oracle.trials.get, tuner.oracle.start_order)
        completed = [trial for trial in trials if trial.score is not None]
        if not completed:
            return None
        best = max(completed, key=lambda trial: trial.score)
        model, training = tuner.hypermodel.configuration(best.hyperparameters)
        return RunConfig(self.config.data, model, training)

    def finish(self, tuner) -> Search:
        rows = trial_rows(tuner)
        self.write(tuner, rows)
        best = self.best(tuner)
        if best is None:
            reasons = dict.fromkeys(row["reason"] for row in rows if row["reason"])
            raise SearchFailedError(
                f"All {len(rows)} trials failed, so there is no best configuration: "
                f"{' | '.join(reasons)} ({self.folder / TRIALS} has them all.)"
            )
        self.echo(format_trials(rows))
        path = self.folder / BEST
        self.echo(
            f"The best configuration is in {path}. Next: kerasad train "
            f"{shlex.quote(self.config.data.path)} --config {shlex.quote(str(path))} --output RUN"
        )
        return Search(self.folder, rows, best)
