"""Runs the trials of a search; killed at any moment, it continues from the file of trials."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner

from kerasad.errors import InputError
from kerasad.files import parse_json, write_json
from kerasad.progress import Phase
from kerasad.training.epoch_progress import EpochProgress
from kerasad.tuning.hypermodel import DetectorHyperModel
from kerasad.tuning.objective import OBJECTIVE
from kerasad.tuning.oracles import ReplayableOracle

TRIALS = "trials.json"
WEIGHTS = "weights"

MOST_ATTEMPTS = 3
"""How often a trial is started before it is given up because the process died in each attempt."""

Row = dict[str, Any]


def run_trials(
    oracle: ReplayableOracle,
    hypermodel: DetectorHyperModel,
    folder: Path,
    on_change: Callable[[list[Row]], None] = lambda rows: None,
    verbose: int = 1,
) -> list[Row]:
    """Runs all trials, those that an earlier process finished excepted.

    Weights are kept only where a trial of Hyperband may be trained on, of one bracket at a time;
    a search ends without any.

    Args:
        oracle: ReplayableOracle, fresh.
        hypermodel: DetectorHyperModel.
        folder: Path. Has `trials.json` and weights.
        on_change: function of the rows, called after each trial.
        verbose: int. 0 hides the progress.

    Returns:
        list of dicts, as in `trials.json`, in the order in which the trials began: `trial` (from
        1), `status` (`completed`, `failed` or `running`), the objective under its name (None unless
        completed), `reason` (of a failed one), `continues` (the trial whose weights it starts
        with, or None), `bracket` (of Hyperband), `first_epoch`, `epochs` (the last one), `seconds`,
        `attempts`, `values` (of the hyperparameters).

    Raises:
        InputError: A file broke meanwhile, or `trials.json` is damaged.
    """
    rows = read_trials(folder)
    oracle.recorded = {index: row["values"] for index, row in enumerate(rows)}
    oracle.verbose = 0
    with tempfile.TemporaryDirectory(prefix="kerasad-") as scratch:
        # The oracle wants a folder for its files of state, which nobody reads.
        BaseTuner(oracle, directory=scratch)
        space = oracle.get_space()
        hypermodel.declare_hyperparameters(space)
        oracle.update_space(space)
        while (trial := oracle.create_trial("kerasad")).status == "RUNNING":
            number = len(oracle.start_order)
            if number > len(rows):
                rows.append(_new_row(number, trial, hypermodel.training.epochs))
            row = rows[number - 1]
            is_new = row["status"] == "running"
            if is_new:
                _run(trial, row, rows, hypermodel, folder, verbose)
            if row["status"] == "completed":
                oracle.update_trial(trial.trial_id, {OBJECTIVE.name: row[OBJECTIVE.name]})
            trial.status = row["status"].upper()
            oracle.end_trial(trial)
            if is_new:
                _delete_weights(folder, rows)
                on_change(rows)
    shutil.rmtree(folder / WEIGHTS, ignore_errors=True)
    return rows


def read_trials(folder: Path) -> list[Row]:
    """Returns the rows of `trials.json`; none if there is no such file.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / TRIALS
    if not path.exists():
        return []
    try:
        rows = parse_json(path.read_text(encoding="utf-8"))
        if not all({"trial", "status", "values"} <= row.keys() for row in rows):
            raise ValueError("it lacks a key")
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged ({error}): restore it from a copy, or pass --overwrite."
        ) from error
    return rows


def _new_row(number, trial, epochs):
    values = trial.hyperparameters.values
    parent = values.get("tuner/trial_id")
    return {
        "trial": number,
        "status": "running",
        OBJECTIVE.name: None,
        "reason": None,
        "continues": None if parent is None else int(parent) + 1,
        "bracket": values.get("tuner/bracket"),
        "first_epoch": values.get("tuner/initial_epoch", 0),
        "epochs": values.get("tuner/epochs", epochs),
        "seconds": None,
        "attempts": 0,
        "values": {name: v for name, v in values.items() if not name.startswith("tuner/")},
    }


def _run(trial, row, rows, hypermodel, folder, verbose):
    """Trains and evaluates a trial; its row gets the result, or the reason why there is none."""
    started = time.perf_counter()
    try:
        if row["attempts"] >= MOST_ATTEMPTS:  # memory may not suffice for a model of this size
            raise keras_tuner.errors.FailedTrialError(
                f"The process died {row['attempts']} times in this trial; memory may have run out."
            )
        row["attempts"] += 1
        write_json(folder / TRIALS, rows)
        result = _train_and_evaluate(trial, row, hypermodel, folder, verbose)
        row |= {"status": "completed", OBJECTIVE.name: result[OBJECTIVE.name]}
    except (KeyboardInterrupt, SystemExit):
        row["attempts"] -= 1  # the user stopped it
        write_json(folder / TRIALS, rows)
        raise
    except (InputError, OSError):  # a broken file or a full disk ends the search
        raise
    except keras_tuner.errors.FailedTrialError as error:
        row |= {"status": "failed", "reason": str(error)}
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
        row |= {"status": "failed", "reason": reason}
    row["seconds"] = round(time.perf_counter() - started, 1)
    write_json(folder / TRIALS, rows)


def _train_and_evaluate(trial, row, hypermodel, folder, verbose):
    hp = trial.hyperparameters
    try:
        model = hypermodel.build(hp)
    except InputError as error:  # about these values; only `fit` reads files
        raise keras_tuner.errors.FailedTrialError(str(error)) from error
    if row["continues"] is not None:
        model.load_weights(_weights(folder, row["continues"]))  # both optimizers and seeds included
    count = row["epochs"] - row["first_epoch"]
    with Phase("  training", count, "epoch", verbose) as phase:
        result = hypermodel.fit(
            hp,
            model,
            callbacks=[EpochProgress(phase)],
            epochs=row["epochs"],
            initial_epoch=row["first_epoch"],
        )
    if row["epochs"] < hypermodel.training.epochs:
        (folder / WEIGHTS).mkdir(exist_ok=True)
        model.save_weights(_weights(folder, row["trial"]))
    return result


def _weights(folder, number):
    return folder / WEIGHTS / f"{number}.weights.h5"


def _delete_weights(folder, rows):
    """Deletes the weights that no later trial of the same bracket can continue."""
    continued = {row["continues"] for row in rows if row["status"] != "running"}
    for row in rows:
        if row["trial"] in continued or row["bracket"] != rows[-1]["bracket"]:
            _weights(folder, row["trial"]).unlink(missing_ok=True)
