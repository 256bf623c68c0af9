"""KerasTuner's three ways to choose trials, made safe to interrupt at any moment."""

from pathlib import Path

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from kerasad.files import write_json
from kerasad.tuning.objective import OBJECTIVE

DONE = (TrialStatus.COMPLETED, TrialStatus.FAILED)
FACTOR = 3


class ResumableOracle:
    """What is added to KerasTuner's oracles.

    - Files of state are replaced as a whole, so that a killed search can always be read again.
    - A trial that was killed runs again, whatever moment it was killed at: KerasTuner's own
      bookkeeping is in two files, of which one may be ahead of the other.
    - The first trial is the default configuration, so that the best is never worse.
    - Any number of trials may fail in a row.

    Args:
        max_trials: int.
        seed: int >= 0.
        **kwargs: as of KerasTuner's oracle.
    """

    def __init__(self, max_trials: int, seed: int, **kwargs):
        super().__init__(
            objective=OBJECTIVE,
            # KerasTuner takes a seed of 0 for none.
            seed=seed + 1,
            max_consecutive_failed_trials=max_trials + 1,
            **kwargs,
        )
        self.max_trials = max_trials

    def populate_space(self, trial_id):
        """Returns the values of the next trial, see KerasTuner."""
        answer = super().populate_space(trial_id)
        if not self.trials and answer.get("values"):
            schedule = {k: v for k, v in answer["values"].items() if k.startswith("tuner/")}
            answer["values"] = {**self.get_space().values, **schedule}
        return answer

    def save(self):
        """Writes the state, all or nothing."""
        write_json(self._get_oracle_fname(), self.get_state())

    def _save_trial(self, trial):
        write_json(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def reload(self):
        """Reads the state, and queues every trial that was begun and not ended."""
        super().reload()
        for trial_id in set(self.trials) - set(self.start_order):
            del self.trials[trial_id]  # killed before it began; it will be drawn again
        ended = [id for id in self.start_order if self.trials[id].status in DONE]
        self.end_order += [trial_id for trial_id in ended if trial_id not in self.end_order]
        self._retry_queue = [id for id in reversed(self.start_order) if id not in ended]
        for trial_id in self._retry_queue:
            trial = self.trials[trial_id]
            trial.metrics = type(trial.metrics)()

    def plan(self, epochs: int) -> list[tuple[int, int]]:
        """Returns the first and the last epoch of each trial, if none fails."""
        return [(0, epochs)] * self.max_trials


class RandomOracle(ResumableOracle, keras_tuner.oracles.RandomSearchOracle):
    """Random search."""


class BayesianOracle(ResumableOracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """Bayesian optimization by a Gaussian process; a third of the trials, at least 3, are random.

    (KerasTuner would draw three times as many random trials as the space has dimensions.)
    """

    def __init__(self, max_trials: int, seed: int):
        super().__init__(max_trials, seed, num_initial_points=max(3, max_trials // 3))


class HyperbandOracle(ResumableOracle, keras_tuner.oracles.HyperbandOracle):
    """Hyperband within a number of trials.

    A bracket begins with many short trials and trains the best third of them on, until the last
    ones have had all epochs. Brackets are run from the most eager to the one in which every trial
    has all epochs, then over again, until there have been `max_trials` trials. The most eager
    bracket is the largest in which at least one trial reaches the last epoch if none fails: with
    few trials, KerasTuner's own would end among the first, shortest ones.

    Args:
        max_trials: int. Trials that train another one on are counted too.
        seed: int.
        max_epochs: int. Epochs of a trial that is never dropped.
    """

    def __init__(self, max_trials: int, seed: int, max_epochs: int):
        self._most_trials = max_trials  # asked for before `max_trials` is set
        super().__init__(
            max_trials,
            seed,
            max_epochs=max_epochs,
            factor=FACTOR,
            hyperband_iterations=max_trials,  # more than there can be
        )

    def _get_num_brackets(self):
        def reaches_the_end(bracket):
            before = sum(self._get_size(bracket, round_num) for round_num in range(bracket))
            return before + 1 <= self._most_trials

        brackets = range(super()._get_num_brackets())
        return max((b + 1 for b in brackets if reaches_the_end(b)), default=1)

    def plan(self, epochs: int) -> list[tuple[int, int]]:
        """Returns the first and the last epoch of each trial, if none fails."""
        spans, bracket = [], 0
        while len(spans) < self.max_trials:
            bracket = (bracket or self._get_num_brackets()) - 1
            first = 0
            for round_num in range(self._get_num_rounds(bracket)):
                last = self._get_epochs(bracket, round_num)
                spans += [(first, last)] * self._get_size(bracket, round_num)
                first = last
        return spans[: self.max_trials]
