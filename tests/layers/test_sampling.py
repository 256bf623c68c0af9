import keras
import numpy as np
import pytest
from helpers import check_layer

from kerasad.layers.sampling import Sampling

Z_MEAN = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], "float32")
Z_LOG_VAR = np.array([[0.0, -4.0, 2.0], [1.0, -1.0, -30.0]], "float32")


@pytest.mark.parametrize("training", [False, True])
def test_contract(training):
    check_layer(
        lambda **options: _Pair(training, **options), Z_MEAN, Z_LOG_VAR, shape=(2, 3), tolerance=0.1
    )


@keras.saving.register_keras_serializable(package="tests")
class _Pair(keras.layers.Layer):
    """Sampling with its pair as two arguments and a noise that starts anew at each call."""

    def __init__(self, training, **options):
        super().__init__(**options)
        self.training = training
        self.sampling = Sampling(seed=3, dtype=self.dtype_policy)

    def build(self, z_mean_shape, z_log_var_shape):
        self.sampling.build((z_mean_shape, z_log_var_shape))

    def call(self, z_mean, z_log_var):
        self.sampling.seed_generator.state.assign([3, 0])
        return self.sampling((z_mean, z_log_var), training=self.training)

    def get_config(self):
        return {**super().get_config(), "training": self.training}


def test_config_keeps_the_seed():
    assert Sampling.from_config(Sampling(seed=7).get_config()).seed == 7


def test_outside_training_the_mean_is_returned():
    np.testing.assert_array_equal(Sampling(seed=0)((Z_MEAN, Z_LOG_VAR)), Z_MEAN)


def test_noise_has_the_given_mean_and_deviation():
    shape = (20000, 3)
    z_mean = np.broadcast_to(Z_MEAN[0], shape)
    z_log_var = np.broadcast_to(Z_LOG_VAR[0], shape)
    z = np.asarray(Sampling(seed=0)((z_mean, z_log_var), training=True))
    np.testing.assert_allclose(z.mean(axis=0), Z_MEAN[0], atol=0.06)
    np.testing.assert_allclose(z.std(axis=0), np.exp(Z_LOG_VAR[0] / 2), rtol=0.03)


def test_noise_differs_between_coordinates_and_calls():
    layer = Sampling(seed=0)
    zeros = np.zeros((2, 3), "float32")
    first, second = (np.asarray(layer((zeros, zeros), training=True)) for _ in range(2))
    assert len(np.unique(np.stack([first, second]))) == 12


def test_one_seed_gives_one_noise():
    first, second = (Sampling(seed=5)((Z_MEAN, Z_LOG_VAR), training=True) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_noise_goes_on_where_it_was_saved(tmp_path):
    pair = [keras.Input((3,)), keras.Input((3,))]
    model = keras.Model(pair, Sampling(seed=5)(pair))
    model([Z_MEAN, Z_LOG_VAR], training=True)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        reloaded([Z_MEAN, Z_LOG_VAR], training=True), model([Z_MEAN, Z_LOG_VAR], training=True)
    )
