import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import InputError
from kerasad.errors import TrainingDivergedError
from kerasad.models.trained_model import loss_gradients
from kerasad.models.two_player_model import TwoPlayerModel

SGD = keras.optimizers.SGD


@keras.saving.register_keras_serializable(package="tests")
class Game(TwoPlayerModel):
    """Two numbers: the generator makes `made` small, the discriminator makes `judged` large."""

    def __init__(self, start=(1.0, 2.0), **kwargs):
        super().__init__(**kwargs)
        self.start = start
        self.made = self.add_weight(
            (1,), initializer=keras.initializers.Constant(start[0]), name="made"
        )
        self.judged = self.add_weight(
            (1,), initializer=keras.initializers.Constant(start[1]), name="judged"
        )
        self.idle = self.add_weight((1,), initializer="ones", name="idle")
        self.create_trackers(("first_loss", "second_loss", "loss"), ("mood",))
        self(keras.Input((1,)))

    generator_variables = property(lambda self: [self.made, self.idle])
    discriminator_variables = property(lambda self: [self.judged])

    def call(self, inputs):
        return inputs * self.made

    def train_step(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape(persistent=True) as tape:
            first = keras.ops.mean(x) * self.made[0] * self.judged[0]
            second = -first
            scaled = self.optimizer.scale_loss(first)
            counter = self.discriminator_optimizer.scale_loss(second)
        made = loss_gradients(tape, scaled, self.generator_variables)
        judged = loss_gradients(tape, counter, self.discriminator_variables)
        total = first + keras.ops.sqrt(keras.ops.max(x))
        losses = {"first_loss": first, "second_loss": second, "loss": total}
        self.optimizer.apply(made, self.generator_variables)
        self.discriminator_optimizer.apply(judged, self.discriminator_variables)
        return self.track({**losses, "mood": keras.ops.max(x)})

    def get_config(self):
        return {**keras.Model.get_config(self), "start": self.start}


ONES = np.ones((6, 1), "float32")


def compiled(rates=(0.1, 0.5), **options):
    game = Game()
    game.compile(*(SGD(rate) for rate in rates), **options)
    return game


def values(game):
    return float(game.made[0]), float(game.judged[0])


def adam_pair():
    return keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.2)


def test_each_player_moves_by_its_own_optimizer():
    game = compiled()
    game.train_on_batch(ONES)
    # d first / d made = judged = 2; d second / d judged = -made = -1, both at the start.
    np.testing.assert_allclose(values(game), (1.0 - 0.1 * 2.0, 2.0 + 0.5 * 1.0), rtol=1e-6)


def test_a_variable_that_the_loss_does_not_reach_stays():
    game = compiled()
    game.train_on_batch(ONES)
    assert float(game.idle[0]) == 1.0


@pytest.mark.parametrize(
    ("rates", "expected"), [((0.0, 0.5), (1.0, 2.5)), ((0.1, 0.0), (0.8, 2.0))]
)
def test_one_player_moves_without_the_other(rates, expected):
    game = compiled(rates)
    game.train_on_batch(ONES)
    np.testing.assert_allclose(values(game), expected, rtol=1e-6)


def test_logs_are_running_means_over_the_epoch():
    game = compiled((0.0, 0.0))
    x = np.array([[1.0], [1.0], [3.0], [3.0]], "float32")
    history = game.fit(x, batch_size=2, epochs=2, shuffle=False, verbose=0).history
    assert set(history) == {"first_loss", "second_loss", "loss", "mood"}
    assert history["first_loss"] == [4.0, 4.0]  # (2 + 6) / 2
    assert history["mood"] == [2.0, 2.0]


def test_every_measure_is_listed_once():
    game = compiled()
    assert [metric.name for metric in game.metrics] == ["first_loss", "second_loss", "loss", "mood"]
    assert len(game.train_on_batch(ONES)) == 4


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_loss_that_is_not_finite_stops_the_training_by_name(eagerly):
    game = compiled(run_eagerly=eagerly)
    with pytest.raises(TrainingDivergedError, match=r"step 1: `loss` became nan;"):
        game.fit(-ONES, verbose=0)


def test_both_optimizers_exist_after_a_bare_compile():
    game = Game()
    game.compile()
    assert isinstance(game.optimizer, keras.optimizers.Adam)
    assert isinstance(game.discriminator_optimizer, keras.optimizers.Adam)
    assert float(game.optimizer.learning_rate) == pytest.approx(1e-3)
    assert float(game.discriminator_optimizer.learning_rate) == pytest.approx(2e-4)
    assert game.jit_compile is False


def test_optimizers_may_be_given_by_name():
    game = Game()
    game.compile("rmsprop", "sgd")
    assert type(game.optimizer) is keras.optimizers.RMSprop
    assert type(game.discriminator_optimizer) is SGD


def test_one_optimizer_for_both_players_is_refused():
    optimizer = SGD()
    with pytest.raises(InputError, match="`discriminator_optimizer` is the same object"):
        Game().compile(optimizer, optimizer)


@pytest.mark.parametrize(
    "option", [{"loss": "mse"}, {"metrics": ["mae"]}, {"weighted_metrics": []}]
)
def test_losses_and_metrics_are_refused(option):
    with pytest.raises(InputError, match=rf"`{next(iter(option))}` can't be given to `compile`"):
        Game().compile(**option)


def test_callbacks_see_the_optimizer_of_the_generator():
    game = compiled()
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.25)
    game.fit(ONES, verbose=0, callbacks=[schedule])
    assert float(game.optimizer.learning_rate) == 0.25
    assert float(game.discriminator_optimizer.learning_rate) == 0.5


def test_compile_survives_saving(tmp_path):
    game = compiled((0.1, 0.5), run_eagerly=True, steps_per_execution=3)
    game.save(tmp_path / "game.keras")
    again = keras.saving.load_model(tmp_path / "game.keras")
    assert float(again.optimizer.learning_rate) == pytest.approx(0.1)
    assert float(again.discriminator_optimizer.learning_rate) == pytest.approx(0.5)
    assert again.run_eagerly
    assert again.steps_per_execution == 3
    assert again.jit_compile is False


def test_an_uncompiled_model_reloads_uncompiled(tmp_path):
    Game().save(tmp_path / "game.keras")
    again = keras.saving.load_model(tmp_path / "game.keras")
    assert not again.compiled
    assert values(again) == (1.0, 2.0)


def test_reloaded_optimizers_go_on(tmp_path):
    game = Game()
    game.compile(*adam_pair())
    game.fit(ONES, batch_size=2, verbose=0)
    game.save(tmp_path / "game.keras")
    again = keras.saving.load_model(tmp_path / "game.keras")
    assert int(again.optimizer.iterations) == int(again.discriminator_optimizer.iterations) == 3
    for model in (game, again):
        model.fit(ONES, batch_size=2, verbose=0)
    assert values(again) == values(game)


class Crash(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_backup_and_restore_resumes_both_optimizers(tmp_path):
    whole, broken, resumed = Game(), Game(), Game()
    for game in (whole, broken, resumed):
        game.compile(*adam_pair())
    whole.fit(ONES, batch_size=2, epochs=3, verbose=0)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(KeyboardInterrupt):
        broken.fit(ONES, batch_size=2, epochs=3, verbose=0, callbacks=[backup(), Crash()])
    resumed.fit(ONES, batch_size=2, epochs=3, verbose=0, callbacks=[backup()])
    assert int(resumed.optimizer.iterations) == 9
    assert int(resumed.discriminator_optimizer.iterations) == 9
    assert values(resumed) == values(whole)


def test_several_steps_an_execution_are_the_same_steps():
    one, three = compiled(), compiled(steps_per_execution=3)
    for game in (one, three):
        game.fit(ONES, batch_size=2, verbose=0)
    np.testing.assert_allclose(values(one), values(three), rtol=1e-6)


def test_half_precision_scales_the_loss_of_both_players(tmp_path):
    game = Game(dtype="mixed_float16")
    game.compile(SGD(0.1), SGD(0.5))
    for optimizer in (game.optimizer, game.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    game.train_on_batch(ONES)
    np.testing.assert_allclose(values(game), (0.8, 2.5), rtol=1e-6)
    game.save(tmp_path / "game.keras")
    again = keras.saving.load_model(tmp_path / "game.keras")
    inner = again.discriminator_optimizer.inner_optimizer
    assert type(inner) is SGD
    assert int(again.discriminator_optimizer.iterations) == 1
