import keras_tuner
import pytest
from keras_tuner.engine.base_tuner import BaseTuner

from kerasad.tuning.objective import OBJECTIVE
from kerasad.tuning.oracles import BayesianOracle, HyperbandOracle, RandomOracle

ORACLES = {
    "random": lambda trials: RandomOracle(trials, seed=0),
    "bayesian": lambda trials: BayesianOracle(trials, seed=0),
    "hyperband": lambda trials: HyperbandOracle(trials, seed=0, max_epochs=9),
}


def begin(oracle, folder):
    """Gives an oracle a space and a folder."""
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0, default=0.25)
    oracle.update_space(hp)
    BaseTuner(oracle, directory=str(folder))
    oracle.verbose = 0
    return oracle


def run(oracle, score=lambda values: values["x"]):
    """Runs all trials, an unscored one as failed; returns them in the order of their beginning."""
    while (trial := oracle.create_trial("one")).status == "RUNNING":
        value = score(trial.hyperparameters.values)
        if value is not None:
            oracle.update_trial(trial.trial_id, {OBJECTIVE.name: value})
        trial.status = "FAILED" if value is None else "COMPLETED"
        oracle.end_trial(trial)
    return [oracle.trials[trial_id] for trial_id in oracle.start_order]


def spans(trials):
    values = [trial.hyperparameters.values for trial in trials]
    return [(value["tuner/initial_epoch"], value["tuner/epochs"]) for value in values]


@pytest.mark.parametrize("name", ORACLES)
def test_the_first_trial_is_the_default_and_the_number_of_trials_is_what_was_asked(name, tmp_path):
    trials = run(begin(ORACLES[name](7), tmp_path))
    assert trials[0].hyperparameters.values["x"] == 0.25
    assert len(trials) == 7
    assert {trial.status for trial in trials} == {"COMPLETED"}


@pytest.mark.parametrize("name", ORACLES)
def test_a_seed_of_0_is_a_seed(name, tmp_path):
    drawn = [
        [trial.hyperparameters.values["x"] for trial in run(begin(ORACLES[name](4), tmp_path / n))]
        for n in ("a", "b")
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 2


@pytest.mark.parametrize("name", ORACLES)
def test_any_number_of_trials_may_fail_in_a_row(name, tmp_path):
    trials = run(begin(ORACLES[name](6), tmp_path), score=lambda values: None)
    assert [trial.status for trial in trials] == ["FAILED"] * 6


@pytest.mark.parametrize(
    ("trials", "epochs", "expected"),
    [
        (3, 60, [(0, 60)] * 3),
        (10, 60, [(0, 20)] * 8 + [(20, 60)] * 2),
        (5, 3, [(0, 1)] * 3 + [(1, 3)] + [(0, 3)]),
        (24, 60, [(0, 7)] * 15 + [(7, 20)] * 5 + [(20, 60)] * 2 + [(0, 20)] * 2),
        (2, 1, [(0, 1)] * 2),
    ],
)
def test_hyperband_spends_its_trials_so_that_one_reaches_the_end(
    trials, epochs, expected, tmp_path
):
    oracle = HyperbandOracle(trials, seed=0, max_epochs=epochs)
    assert oracle.plan(epochs) == expected
    assert spans(run(begin(oracle, tmp_path))) == expected


def test_hyperband_trains_the_best_on_and_stays_within_its_trials_when_some_fail(tmp_path):
    oracle = HyperbandOracle(10, seed=0, max_epochs=60)
    trials = run(begin(oracle, tmp_path), lambda values: None if values["x"] > 0.9 else values["x"])
    assert len(trials) == 10
    first = {trial.trial_id: trial for trial in trials[:8]}
    best = max((t for t in first.values() if t.score is not None), key=lambda trial: trial.score)
    on = [trial for trial in trials if "tuner/trial_id" in trial.hyperparameters.values]
    assert len(on) == 2
    assert on[0].hyperparameters.values["tuner/trial_id"] == best.trial_id
    assert on[0].hyperparameters.values["x"] == best.hyperparameters.values["x"]


def test_where_a_round_has_failed_hyperband_draws_new_values_for_the_next(tmp_path):
    oracle = HyperbandOracle(10, seed=0, max_epochs=60)
    trials = run(begin(oracle, tmp_path), score=lambda values: None)
    assert spans(trials) == [(0, 20)] * 8 + [(0, 60)] * 2
    assert len({trial.hyperparameters.values["x"] for trial in trials}) == 10
