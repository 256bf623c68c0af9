import json
import shutil
from types import SimpleNamespace

import keras
import keras_tuner
import numpy as np
import pytest

from kerasad import VAEGAN, InputError
from kerasad.tuning import running
from kerasad.tuning.objective import OBJECTIVE
from kerasad.tuning.oracles import BayesianOracle, HyperbandOracle, RandomOracle
from kerasad.tuning.running import MOST_ATTEMPTS, read_trials, run_trials
from kerasad.tuning.search import format_trials


class Counter:
    """A model that counts its epochs."""

    epochs = 0

    def save_weights(self, path):
        path.write_text(str(self.epochs))

    def load_weights(self, path):
        self.epochs = int(path.read_text())


class Line(keras_tuner.HyperModel):
    """Trains `Counter`; `score` of the one hyperparameter is its objective."""

    def __init__(self, epochs=9, score=lambda x: x):
        super().__init__()
        self.training = SimpleNamespace(epochs=epochs)
        self.score = score
        self.spans = []

    def declare_hyperparameters(self, hp):
        hp.Float("x", 0.0, 1.0, default=0.25)

    def build(self, hp):
        return Counter()

    def fit(self, hp, model, *, callbacks, epochs, initial_epoch):
        assert model.epochs == initial_epoch, "the weights are not those of the continued trial"
        model.epochs = epochs
        self.spans.append((initial_epoch, epochs))
        return {OBJECTIVE.name: self.score(hp.values["x"])}


def run(folder, oracle, hypermodel=None, **options):
    return run_trials(oracle, hypermodel or Line(), folder, verbose=0, **options)


def weights(folder):
    return sorted(folder.rglob("*.weights.h5"))


def untimed(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_random_search_keeps_no_weights(tmp_path):
    kept, line = [], Line()
    rows = run(
        tmp_path, RandomOracle(3, 0), line, on_change=lambda rows: kept.append(weights(tmp_path))
    )
    assert kept == [[], [], []]
    assert line.spans == [(0, 9)] * 3
    assert [row["status"] for row in rows] == ["completed"] * 3
    assert rows == read_trials(tmp_path)


def test_hyperband_trains_on_from_kept_weights_and_keeps_none_in_the_end(tmp_path):
    counts, line = [], Line()
    oracle = HyperbandOracle(14, 0, max_epochs=9)
    run(tmp_path, oracle, line, on_change=lambda rows: counts.append(len(weights(tmp_path))))
    assert line.spans == oracle.plan(9)
    firsts = [first for first, _ in line.spans]
    assert 0 < max(counts) <= firsts.index(max(firsts))  # never more than the trials of a bracket
    assert weights(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["trials.json"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomOracle(3, 0),
        lambda: BayesianOracle(4, 0),
        lambda: HyperbandOracle(4, 0, max_epochs=3),
    ],
    ids=["random", "bayesian", "hyperband"],
)
def test_a_search_killed_at_any_moment_ends_as_if_it_had_not_been(make, tmp_path, monkeypatch):
    """A copy of the folder after each change of it is what a killed process leaves."""
    whole, copies = tmp_path / "whole", []
    whole.mkdir()

    def copy_after(function):
        def call(*arguments):
            function(*arguments)
            copies.append(shutil.copytree(whole, tmp_path / f"killed{len(copies)}"))

        return call

    with monkeypatch.context() as patch:
        patch.setattr(running, "write_json", copy_after(running.write_json))
        patch.setattr(running, "_delete_weights", copy_after(running._delete_weights))
        patch.setattr(Counter, "save_weights", copy_after(Counter.save_weights))
        expected = run(whole, make(), Line(3))
    assert len(copies) >= 3 * len(expected)
    for copy in copies:
        rows = run(copy, make(), Line(3))
        for row in rows:
            row["attempts"] = 1  # 2 for the trial that was killed
        assert untimed(rows) == untimed(expected)
        assert weights(copy) == []


def test_a_vae_gan_is_trained_on_with_both_optimizers_and_its_noise(tmp_path):
    # Hyperband relies on it: a file of weights has all that a training continues with.
    def make():
        model = VAEGAN((16, 16, 3), latent_dim=2, filters=2, depth=2, adacos="none", seed=0)
        model.compile()
        return model

    model, other = make(), make()
    model.optimizer.iterations.assign(7)
    model.discriminator_optimizer.iterations.assign(5)
    model.discriminator_optimizer.variables[-1].assign(
        np.ones(model.discriminator_optimizer.variables[-1].shape)
    )
    keras.random.normal((2,), seed=model.sampling.seed_generator)
    model.save_weights(tmp_path / "1.weights.h5")
    other.load_weights(tmp_path / "1.weights.h5")
    assert int(other.optimizer.iterations) == 7
    assert int(other.discriminator_optimizer.iterations) == 5
    assert np.asarray(other.discriminator_optimizer.variables[-1]).min() == 1.0
    for one, two in (
        (model.sampling.seed_generator.state, other.sampling.seed_generator.state),
        (model.encoder.weights[0], other.encoder.weights[0]),
    ):
        np.testing.assert_array_equal(one, two)


def test_reasons_of_failed_trials_are_one_line_and_the_others_go_on(tmp_path, capfd):
    errors = iter(
        [
            keras_tuner.errors.FailedTrialError("`kl_loss` became nan; lower it."),
            ValueError("no such\nthing"),
            MemoryError(),
        ]
    )

    def score(x):
        if (error := next(errors, None)) is not None:
            raise error
        return x

    rows = run(tmp_path, RandomOracle(5, 0), Line(score=score))
    assert [row["status"] for row in rows] == ["failed"] * 3 + ["completed"] * 2
    assert [row["reason"] for row in rows] == [
        "`kl_loss` became nan; lower it.",
        "ValueError: no such",
        "MemoryError",
        None,
        None,
    ]
    assert all(row["seconds"] is not None for row in rows)
    lines = format_trials(rows).splitlines()
    assert "`kl_loss` became nan; lower it." in "".join(lines[-3:])
    best = max(row[OBJECTIVE.name] for row in rows[3:])
    assert f"{best:.4f}" in lines[1]
    assert capfd.readouterr() == ("", "")  # no traceback


@pytest.mark.parametrize("error", [InputError("x.png broke"), OSError("disk full")])
def test_a_broken_file_or_disk_ends_the_search_and_the_trial_runs_again(error, tmp_path):
    def fail(x):
        raise error

    with pytest.raises(type(error), match=str(error)):
        run(tmp_path, RandomOracle(2, 0), Line(score=fail))
    rows = run(tmp_path, RandomOracle(2, 0))
    assert [row["status"] for row in rows] == ["completed"] * 2
    assert rows[0]["values"] == {"x": 0.25}


def test_values_that_make_no_model_fail_their_trial_alone(tmp_path):
    line = Line()
    build = line.build

    def refuse(hp):
        if len(line.spans) == 1 and hp.values["x"] != 0.25:
            line.spans.append("refused")
            raise InputError("`x` cannot be used")
        return build(hp)

    line.build = refuse
    rows = run(tmp_path, RandomOracle(3, 0), line)
    assert [row["status"] for row in rows] == ["completed", "failed", "completed"]
    assert rows[1]["reason"] == "`x` cannot be used"


def test_a_trial_that_takes_the_process_along_is_given_up(tmp_path):
    class Killed(BaseException):
        """Like a kill, but this process lives on to look at the result."""

    def die(x):
        raise Killed

    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(Killed):
            run(tmp_path, RandomOracle(2, 0), Line(score=die))
    rows = run(tmp_path, RandomOracle(2, 0))
    assert [row["status"] for row in rows] == ["failed", "completed"]
    assert "died 3 times" in rows[0]["reason"]


def test_a_trial_that_the_user_stops_may_always_begin_again(tmp_path):
    def stop(x):
        raise KeyboardInterrupt

    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, RandomOracle(2, 0), Line(score=stop))
    rows = run(tmp_path, RandomOracle(2, 0))
    assert [row["status"] for row in rows] == ["completed"] * 2


def test_more_trials_continue_a_search_that_has_ended(tmp_path):
    before, line = run(tmp_path, RandomOracle(9, 0)), Line()
    after = run(tmp_path, RandomOracle(11, 0), line)  # KerasTuner's names become longer
    assert after[:9] == before
    assert len(after) == 11
    assert len(line.spans) == 2


@pytest.mark.parametrize("damage", ['{"trial": 1}', '[{"trial": 1}]', "[", "[1]"])
def test_a_damaged_file_of_trials_is_named(damage, tmp_path):
    (tmp_path / "trials.json").write_text(damage)
    with pytest.raises(InputError, match=r"trials\.json"):
        run(tmp_path, RandomOracle(2, 0))


def test_trials_are_strict_json(tmp_path):
    run(tmp_path, RandomOracle(2, 0), Line(score=lambda x: 0.5))
    assert [row["attempts"] for row in json.loads((tmp_path / "trials.json").read_text())] == [1, 1]
