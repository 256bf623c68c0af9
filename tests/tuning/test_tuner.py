from types import SimpleNamespace

import keras
import keras_tuner
import numpy as np
import pytest

from kerasad import VAEGAN, InputError
from kerasad.tuning.objective import OBJECTIVE
from kerasad.tuning.oracles import HyperbandOracle, RandomOracle
from kerasad.tuning.trials import format_trials, trial_rows
from kerasad.tuning.tuner import CHECKPOINT, MOST_ATTEMPTS, DetectorTuner


class Line(keras_tuner.HyperModel):
    """Learns one number, at the rate of one an epoch; the first weight counts the epochs."""

    def __init__(self, epochs=9, score=lambda x: x):
        super().__init__()
        self.training = SimpleNamespace(epochs=epochs)
        self.score = score
        self.spans = []

    def build(self, hp):
        hp.Float("x", 0.0, 1.0, default=0.25)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        model.layers[0].kernel.assign([[0.0]])
        return model

    def fit(self, hp, model, *, callbacks, epochs, initial_epoch):
        trained = float(model.layers[0].kernel[0, 0])
        assert trained == initial_epoch, "the weights are not those of the trial that it continues"
        model.layers[0].kernel.assign([[epochs]])
        self.spans.append((initial_epoch, epochs))
        return {OBJECTIVE.name: self.score(hp.values["x"])}


def search(folder, oracle, hypermodel=None, **options):
    tuner = DetectorTuner(oracle, hypermodel or Line(), folder, verbose=0, **options)
    tuner.search(verbose=0)
    return tuner


def weights(folder):
    return sorted(folder.rglob(f"*{CHECKPOINT}"))


def test_a_random_search_keeps_no_weights(tmp_path):
    kept = []
    tuner = search(
        tmp_path, RandomOracle(3, 0), on_change=lambda tuner: kept.append(weights(tmp_path))
    )
    assert kept == [[], [], []]
    assert tuner.hypermodel.spans == [(0, 9)] * 3
    assert [row["status"] for row in trial_rows(tuner)] == ["completed"] * 3


def test_hyperband_trains_on_from_kept_weights_and_keeps_none_in_the_end(tmp_path):
    counts = []
    oracle = HyperbandOracle(14, 0, max_epochs=9)
    tuner = search(tmp_path, oracle, on_change=lambda tuner: counts.append(len(weights(tmp_path))))
    assert tuner.hypermodel.spans == oracle.plan(9)
    rounds = [tuner.epochs(trial)[0] for trial in oracle.trials.values()]
    assert max(counts) <= rounds.index(max(rounds))  # never more than the trials of a bracket
    assert weights(tmp_path) == []


def test_a_vae_gan_is_trained_on_with_both_optimizers_and_its_noise(tmp_path):
    # What Hyperband relies on: KerasTuner's file of weights has all that a training goes on with.
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
    model.save_weights(tmp_path / CHECKPOINT)
    other.load_weights(tmp_path / CHECKPOINT)
    assert int(other.optimizer.iterations) == 7
    assert int(other.discriminator_optimizer.iterations) == 5
    assert np.asarray(other.discriminator_optimizer.variables[-1]).min() == 1.0
    for one, two in (
        (model.sampling.seed_generator.state, other.sampling.seed_generator.state),
        (model.encoder.weights[0], other.encoder.weights[0]),
    ):
        np.testing.assert_array_equal(one, two)


def test_reasons_of_failed_trials_are_one_line_and_the_others_go_on(tmp_path):
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

    tuner = search(tmp_path, RandomOracle(5, 0), Line(score=score))
    rows = trial_rows(tuner)
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


@pytest.mark.parametrize("error", [InputError("x.png broke"), OSError("disk full")])
def test_a_broken_file_or_disk_ends_the_search_and_the_trial_runs_again(error, tmp_path):
    def fail(x):
        raise error

    with pytest.raises(keras_tuner.errors.FatalError) as caught:
        search(tmp_path, RandomOracle(2, 0), Line(score=fail))
    assert caught.value.__cause__ is error
    tuner = search(tmp_path, RandomOracle(2, 0))
    assert [row["status"] for row in trial_rows(tuner)] == ["completed"] * 2
    assert trial_rows(tuner)[0]["values"] == {"x": 0.25}


def test_values_that_make_no_model_fail_their_trial_alone(tmp_path):
    model = Line()
    build, refused = model.build, iter([True])

    def refuse_once(hp):
        # Once as the search begins, when KerasTuner looks at the space.
        if hp.values.get("x") not in (None, 0.25) and next(refused, False):
            raise InputError("`x` is of no use")
        return build(hp)

    model.build = refuse_once
    rows = trial_rows(search(tmp_path, RandomOracle(3, 0), model))
    assert [row["status"] for row in rows] == ["completed", "failed", "completed"]
    assert rows[1]["reason"] == "`x` is of no use"


def test_a_trial_that_takes_the_process_along_is_given_up(tmp_path):
    class Killed(BaseException):
        """As far as this process can be killed and looked at."""

    def die(x):
        raise Killed

    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(Killed):
            search(tmp_path, RandomOracle(2, 0), Line(score=die))
    rows = trial_rows(search(tmp_path, RandomOracle(2, 0)))
    assert [row["status"] for row in rows] == ["failed", "completed"]
    assert "died 3 times" in rows[0]["reason"]


def test_a_trial_that_the_user_stops_may_always_begin_again(tmp_path):
    def stop(x):
        raise KeyboardInterrupt

    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, RandomOracle(2, 0), Line(score=stop))
    rows = trial_rows(search(tmp_path, RandomOracle(2, 0)))
    assert [row["status"] for row in rows] == ["completed"] * 2


def test_durations_outlive_an_interruption(tmp_path):
    before = trial_rows(search(tmp_path, RandomOracle(2, 0)))
    assert trial_rows(search(tmp_path, RandomOracle(3, 0)))[:2] == before
