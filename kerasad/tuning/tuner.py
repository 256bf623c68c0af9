"""Runs trials, keeps as few weights as possible, and tells how it goes."""

import gc
import time
from collections.abc import Callable
from pathlib import Path

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kerasad.errors import InputError
from kerasad.files import write_json
from kerasad.tuning.hypermodel import DetectorHyperModel
from kerasad.tuning.oracles import ResumableOracle

CHECKPOINT = "checkpoint.weights.h5"
STATE = "tuner"

MOST_ATTEMPTS = 3
"""How often a trial is begun again after the process was killed in it."""


class DetectorTuner(keras_tuner.Tuner):
    """A tuner for `DetectorHyperModel` that can be killed at any moment.

    Weights are kept only where a trial of Hyperband may be trained on, of one bracket at a time,
    and are deleted as soon as that is settled; a search ends without any.

    Args:
        oracle: ResumableOracle.
        hypermodel: DetectorHyperModel.
        directory: Path. The state of the search goes below it.
        on_change: function without arguments, called after every trial.
        verbose: int. 0 hides progress bars.
    """

    def __init__(
        self,
        oracle: ResumableOracle,
        hypermodel: DetectorHyperModel,
        directory: Path,
        on_change: Callable[["DetectorTuner"], None] = lambda tuner: None,
        verbose: int = 1,
    ):
        self.seconds: dict[str, float] = {}
        self.attempts: dict[str, int] = {}
        self.on_change = on_change
        self.verbose = verbose
        super().__init__(
            oracle=oracle, hypermodel=hypermodel, directory=str(directory), project_name=STATE
        )

    def run_trial(self, trial: Trial, **kwargs) -> dict[str, float]:
        """Trains and judges a trial.

        Raises:
            keras_tuner.errors.FailedTrialError: With the reason in one line.
            keras_tuner.errors.FatalError: From what ends the search: a file or the disk.
        """
        started = time.perf_counter()
        keras.backend.clear_session()
        gc.collect()
        try:
            self._count_attempt(trial.trial_id)
            return self._train_and_judge(trial)
        except (KeyboardInterrupt, SystemExit):
            self.attempts[trial.trial_id] -= 1  # the user's wish is not the trial's fault
            self.save()
            raise
        except (InputError, OSError) as error:
            raise keras_tuner.errors.FatalError(str(error)) from error
        except (keras_tuner.errors.FailedTrialError, keras_tuner.errors.FatalError):
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
            raise keras_tuner.errors.FailedTrialError(reason) from error
        finally:
            self.seconds[trial.trial_id] = round(time.perf_counter() - started, 1)

    def _count_attempt(self, trial_id):
        """Ends a trial that each time took the process with it, by its size perhaps."""
        attempts = self.attempts.get(trial_id, 0)
        if attempts >= MOST_ATTEMPTS:
            raise keras_tuner.errors.FailedTrialError(
                f"The process died {attempts} times in this trial, for want of memory perhaps."
            )
        self.attempts[trial_id] = attempts + 1
        self.save()

    def _train_and_judge(self, trial):
        hp = trial.hyperparameters
        values = hp.values
        try:
            model = self.hypermodel.build(hp)
        except InputError as error:  # of these values; a file is only read by `fit`
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        if "tuner/trial_id" in values:
            # With both optimizers and the seeds of the noise, as Keras keeps them.
            model.load_weights(self._checkpoint(values["tuner/trial_id"]))
        first, last = self.epochs(trial)
        callbacks = [EpochProgress()] if self.verbose else []
        results = self.hypermodel.fit(
            hp, model, callbacks=callbacks, epochs=last, initial_epoch=first
        )
        if last < self.hypermodel.training.epochs:
            model.save_weights(self._checkpoint(trial.trial_id))
        return results

    def epochs(self, trial: Trial) -> tuple[int, int]:
        """Returns the first and the last epoch of a trial."""
        values = trial.hyperparameters.values
        all_epochs = self.hypermodel.training.epochs
        return values.get("tuner/initial_epoch", 0), values.get("tuner/epochs", all_epochs)

    def on_search_begin(self):
        """Writes the state, so that even a search killed in its first trial is continued."""
        self.save()

    def on_trial_end(self, trial: Trial):
        """Ends a trial and deletes the weights that nobody needs any more."""
        super().on_trial_end(trial)
        self._delete_weights(keep_bracket=trial.hyperparameters.values.get("tuner/bracket"))
        self.on_change(self)

    def on_search_end(self):
        """Deletes the last weights."""
        self._delete_weights(keep_bracket=None)

    def _delete_weights(self, keep_bracket):
        trials = self.oracle.trials.values()
        spent = {
            trial.hyperparameters.values.get("tuner/trial_id")
            for trial in trials
            if trial.status != TrialStatus.RUNNING
        }
        for trial in trials:
            bracket = trial.hyperparameters.values.get("tuner/bracket")
            if keep_bracket is None or bracket != keep_bracket or trial.trial_id in spent:
                self._checkpoint(trial.trial_id).unlink(missing_ok=True)

    def _checkpoint(self, trial_id):
        return Path(self.get_trial_dir(trial_id)) / CHECKPOINT

    def get_state(self) -> dict:
        """Returns what KerasTuner does not keep: duration and attempts of each trial."""
        return {"seconds": self.seconds, "attempts": self.attempts}

    def set_state(self, state: dict) -> None:
        """Takes up the state of an interrupted search."""
        self.seconds = dict(state["seconds"])
        self.attempts = dict(state["attempts"])

    def save(self):
        """Writes the state, all or nothing."""
        self.oracle.save()
        write_json(self._get_tuner_fname(), self.get_state())


class EpochProgress(keras.callbacks.Callback):
    """One progress bar for a training, a step an epoch."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the bar."""
        self._bar = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Learns the first epoch."""
        if self._bar is None:
            self._first = epoch
            self._bar = keras.utils.Progbar(self.params["epochs"] - epoch, unit_name="epoch")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Moves the bar."""
        self._bar.update(epoch + 1 - self._first, [("loss", float((logs or {})["loss"]))])
