"""KerasTuner's oracles: how the hyperparameters of the next trial are chosen.

An oracle is a function of its seed and of the results so far. A killed search is therefore
continued by a new oracle that is told the recorded results in their order; KerasTuner's own files
of state, of which a killed process may leave half, are not used.
"""

import math
from typing import Any

import keras_tuner

from kerasad.tuning.objective import OBJECTIVE

FACTOR = 3
"""Hyperband trains the best third of the trials on."""


class ReplayableOracle:
    """What all oracles here have in common.

    - The first trial has the default values, so that the best trial is never worse.
    - A recorded trial keeps its values.
    - Any number of trials may fail in a row.

    Args:
        max_trials: int.
        seed: int >= 0.
        **kwargs: as in KerasTuner's oracle.

    Attributes:
        recorded: dict from the index of a trial that an earlier process began to its values.
    """

    def __init__(self, max_trials: int, seed: int, **kwargs):
        super().__init__(
            objective=OBJECTIVE,
            max_trials=max_trials,
            seed=seed + 1,  # KerasTuner takes a seed of 0 for none
            max_consecutive_failed_trials=max_trials + 1,
            **kwargs,
        )
        self.recorded: dict[int, dict[str, Any]] = {}

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns status and values of the next trial, see `keras_tuner.Oracle`."""
        index = int(trial_id)
        answer = self.draw(index)
        fixed = self.recorded.get(index, self.get_space().values if index == 0 else {})
        if fixed and answer["status"] == "RUNNING":
            schedule = {k: v for k, v in answer["values"].items() if k.startswith("tuner/")}
            answer["values"] = {**fixed, **schedule}
        return answer

    def draw(self, index: int) -> dict[str, Any]:
        """Returns what KerasTuner's oracle chooses."""
        return super().populate_space(str(index))

    def plan(self, epochs: int) -> list[tuple[int, int]]:
        """Returns the first and the last epoch of each trial."""
        return [(0, epochs)] * self.max_trials


class RandomOracle(ReplayableOracle, keras_tuner.oracles.RandomSearchOracle):
    """Random search."""


class BayesianOracle(ReplayableOracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """Bayesian optimization by a Gaussian process; a third of the trials, at least 3, are random.

    (KerasTuner would draw three times as many random trials as the space has dimensions.)
    """

    def __init__(self, max_trials: int, seed: int):
        super().__init__(max_trials, seed, num_initial_points=max(3, max_trials // 3))

    def draw(self, index: int) -> dict[str, Any]:
        """Returns what KerasTuner's oracle chooses; a recorded trial needs no Gaussian process."""
        completed = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        if index in self.recorded and len(completed) >= self.num_initial_points:
            return {"status": "RUNNING", "values": {}}
        return super().draw(index)


class HyperbandOracle(ReplayableOracle, keras_tuner.oracles.RandomSearchOracle):
    """Hyperband within a number of trials.

    A bracket begins with many short trials and trains the best third of them on, until the last
    ones have had all epochs. Brackets are run from the most eager to the one in which every trial
    has all epochs, then over again, until there have been `max_trials` trials. The most eager
    bracket is the largest in which at least one trial reaches the last epoch if none fails.

    KerasTuner's own Hyperband counts brackets instead of trials: stopped after a few trials, it
    would end among the shortest ones.

    Args:
        max_trials: int. Trials that train another one on are counted too.
        seed: int.
        max_epochs: int. Epochs of a trial that is never dropped.
    """

    def __init__(self, max_trials: int, seed: int, max_epochs: int):
        super().__init__(max_trials, seed)
        self.max_epochs = max_epochs
        self.schedule = plan_hyperband(max_trials, max_epochs)

    def draw(self, index: int) -> dict[str, Any]:
        """Returns the best trial of the previous round that is left, or random values."""
        slot = self.schedule[index]
        parent = self._best_of_previous_round(slot)
        if parent is None:  # the first round, or all trials of the previous one failed
            answer = super().draw(index)
            if answer["status"] != "RUNNING":
                return answer
            values = {**answer["values"], "tuner/initial_epoch": 0}
        else:
            values = {
                **parent.hyperparameters.values,
                "tuner/trial_id": parent.trial_id,
                "tuner/initial_epoch": slot["first_epoch"],
            }
        values |= {"tuner/epochs": slot["last_epoch"], "tuner/bracket": slot["bracket"]}
        return {"status": "RUNNING", "values": {**values, "tuner/round": slot["round"]}}

    def _best_of_previous_round(self, slot):
        previous = (slot["bracket"], slot["round"] - 1)
        trials = [self.trials[trial_id] for trial_id in self.start_order]
        values = [trial.hyperparameters.values for trial in trials]
        continued = {value.get("tuner/trial_id") for value in values}
        candidates = [
            trial
            for trial, value in zip(trials, values, strict=True)
            if (value["tuner/bracket"], value["tuner/round"]) == previous
            and trial.status == "COMPLETED"
            and trial.trial_id not in continued
        ]
        return max(candidates, key=lambda trial: trial.score, default=None)

    def plan(self, epochs: int) -> list[tuple[int, int]]:
        """Returns the first and the last epoch of each trial, if none fails."""
        return [(slot["first_epoch"], slot["last_epoch"]) for slot in self.schedule]


def plan_hyperband(max_trials: int, max_epochs: int) -> list[dict[str, int]]:
    """Returns the trials of Hyperband in their order.

    Returns:
        list of dicts of `bracket` (counted from the start of the search), `round`, `first_epoch`
        and `last_epoch`.
    """
    depths = range(int(math.log(max_epochs, FACTOR) + 1e-9) + 1)
    brackets = {depth: _rounds(depth, max_epochs) for depth in depths}
    # One trial of the last round is enough.
    reaching = [d for d, rounds in brackets.items() if sum(n for n, _ in rounds[:-1]) < max_trials]
    slots, depth, bracket = [], -1, 0
    while len(slots) < max_trials:
        depth = depth if depth >= 0 else max(reaching)
        first = 0
        for number, (size, last) in enumerate(brackets[depth]):
            slot = {"bracket": bracket, "round": number, "first_epoch": first, "last_epoch": last}
            slots += [slot] * size
            first = last
        depth, bracket = depth - 1, bracket + 1
    return slots[:max_trials]


def _rounds(depth: int, max_epochs: int) -> list[tuple[int, int]]:
    """The number of trials and the last epoch of each round; brackets cost about the same."""
    share = math.ceil(1 + math.log(max_epochs, FACTOR)) / (depth + 1)
    return [
        (math.ceil(share * FACTOR**left), math.ceil(max_epochs / FACTOR**left))
        for left in range(depth, -1, -1)
    ]
