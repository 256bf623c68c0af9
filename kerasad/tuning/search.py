"""A search in a folder: begun, continued after an interruption, and its result."""

import contextlib
import dataclasses
import hashlib
import io
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner
import tensorflow as tf

from kerasad.config import RunConfig
from kerasad.data.category import Category
from kerasad.errors import InputError, SearchFailedError, check_choice
from kerasad.files import read_json, replace_file, write_json
from kerasad.locations import with_full_paths
from kerasad.training import check_before_training, open_category
from kerasad.tuning.hypermodel import DetectorHyperModel
from kerasad.tuning.objective import OBJECTIVE
from kerasad.tuning.oracles import BayesianOracle, HyperbandOracle, RandomOracle
from kerasad.tuning.trials import format_trials, format_values, trial_rows
from kerasad.tuning.tuner import DetectorTuner
from kerasad.version import __version__

TUNERS = ("random", "bayesian", "hyperband")
SEARCH = "search.json"
TRIALS = "trials.json"
BEST = "best_config.json"


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
    folder = Path(output).absolute()
    check_folder(folder, asked, overwrite)
    oracle = _make_oracle(tuner, trials, config)
    _tell_plan(oracle, config, category, echo)
    _prepare(folder, asked, overwrite)
    progress = _Progress(config, folder, echo)
    with contextlib.redirect_stdout(io.StringIO()):  # KerasTuner says that it reloads
        search = DetectorTuner(oracle, hypermodel, folder, progress, verbose)
    if oracle.end_order:
        echo(f"Continuing: {len(oracle.end_order)} of {trials} trials are done.")
    try:
        with _quiet_tensorflow():
            search.search(verbose=0)
    except keras_tuner.errors.FatalError as error:
        if error.__cause__ is None:
            raise
        raise error.__cause__ from None
    return progress.finish(search)


def check_folder(folder: Path, asked: dict[str, Any], overwrite: bool) -> None:
    """Refuses a folder with anything but the same search, or one of fewer trials.

    Raises:
        InputError: The message says what differs.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / SEARCH).is_file():
        raise InputError(f"{folder} exists and is not a search: choose another --output.")
    if overwrite:
        return
    found, wanted = _flat(read_json(folder / SEARCH)), _flat(asked)
    if asked["tuner"] != "hyperband" and asked["trials"] >= found.get("trials", 0):
        found["trials"] = asked["trials"]  # more of them go on where it ended
    differing = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    if differing:
        name = differing[0]
        what = f"`{name}` is {found.get(name)!r} there, {wanted.get(name)!r} here"
        raise InputError(
            f"{folder} holds another search ({'of other images' if name == 'images' else what}): "
            "choose another --output, or pass --overwrite."
        )


def _describe(config: RunConfig, category: Category, trials: int, tuner: str) -> dict[str, Any]:
    """What a search depends on."""
    hashes = sorted({record.content_hash for record in category.index.good})
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
def _quiet_tensorflow():
    """Without the advice against tracing again, which a new model in each trial must."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {prefix[:-1]: list(values) if isinstance(values, tuple) else values}
    flat = {}
    for name, value in values.items():
        flat.update(_flat(value, f"{prefix}{name}."))
    return flat


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


def _prepare(folder: Path, asked: dict[str, Any], overwrite: bool) -> None:
    try:
        if overwrite and folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error}.") from error
    for left_behind in folder.rglob(".*.partial-*"):  # by a process killed while it wrote
        left_behind.unlink(missing_ok=True)
    write_json(folder / SEARCH, asked)


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
            with replace_file(self.folder / BEST) as work:
                work.write_text(best.to_json(), encoding="utf-8")

    def best(self, tuner) -> RunConfig | None:
        completed = [trial for trial in tuner.oracle.trials.values() if trial.score is not None]
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
            f"The best configuration is in {path}. Next: kerasad train {self.config.data.path} "
            f"--config {path} --output RUN"
        )
        return Search(self.folder, rows, best)
