import shutil

import keras_tuner
import pytest

from kerasad.tuning import oracles
from kerasad.tuning.objective import OBJECTIVE
from kerasad.tuning.oracles import BayesianOracle, HyperbandOracle, RandomOracle

ORACLES = {
    "random": lambda trials: RandomOracle(trials, seed=0),
    "bayesian": lambda trials: BayesianOracle(trials, seed=0),
    "hyperband": lambda trials: HyperbandOracle(trials, seed=0, max_epochs=9),
}


def begin(oracle, folder):
    """Gives an oracle a space and a folder, as a tuner does."""
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0, default=0.25)
    oracle.update_space(hp)
    oracle._set_project_dir(str(folder), "state")
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
    on = [t for t in trials if "tuner/trial_id" in t.hyperparameters.values]
    assert on[0].hyperparameters.values["tuner/trial_id"] == best.trial_id
    assert on[0].hyperparameters.values["x"] == best.hyperparameters.values["x"]


@pytest.mark.parametrize("name", ["random", "hyperband"])
def test_a_search_killed_at_any_moment_ends_as_if_it_had_not_been(name, tmp_path, monkeypatch):
    snapshots = []
    write = oracles.write_json

    def write_and_copy(path, values):
        write(path, values)
        copy = tmp_path / f"killed{len(snapshots)}"
        shutil.copytree(tmp_path / "whole", copy)
        snapshots.append(copy)

    monkeypatch.setattr(oracles, "write_json", write_and_copy)
    oracle = begin(ORACLES[name](5), tmp_path / "whole")
    oracle.save()
    expected = run(oracle)
    monkeypatch.setattr(oracles, "write_json", write)
    assert len(snapshots) > 20
    for snapshot in snapshots:
        oracle = begin(ORACLES[name](5), snapshot)
        oracle.reload()
        trials = run(oracle)
        assert [trial.trial_id for trial in trials] == [trial.trial_id for trial in expected]
        for trial, other in zip(trials, expected, strict=True):
            assert trial.hyperparameters.values == other.hyperparameters.values
            assert (trial.status, trial.score) == (other.status, other.score)
        assert sorted(oracle.end_order) == sorted(oracle.start_order)
