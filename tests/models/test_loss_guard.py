import math

import keras
import numpy as np
import pytest

from kerasad.errors import TrainingDivergedError
from kerasad.models.loss_guard import LossGuard


def test_it_names_the_term_and_not_the_sum():
    guard = LossGuard()
    guard.on_epoch_begin(2)
    guard.on_train_batch_end(0, {"loss": 1.0, "kl_loss": 0.5})
    with pytest.raises(TrainingDivergedError, match=r"epoch 3, step 5: `kl_loss` became nan;"):
        guard.on_train_batch_end(4, {"loss": math.nan, "kl_loss": math.nan, "adacos_loss": 1.0})


def test_it_names_the_sum_when_no_term_is_broken():
    with pytest.raises(TrainingDivergedError, match="`loss` became inf"):
        LossGuard().on_epoch_end(0, {"loss": math.inf, "kl_loss": 1.0})


def test_it_looks_at_validation_losses():
    with pytest.raises(TrainingDivergedError, match="epoch 1: `val_kl_loss` became -inf"):
        LossGuard().on_epoch_end(0, {"loss": 1.0, "val_kl_loss": -math.inf, "val_loss": math.nan})


def test_it_names_only_what_is_a_loss():
    with pytest.raises(TrainingDivergedError) as error:
        LossGuard().on_epoch_end(0, {"kl_loss": math.nan, "synthetic_iou": math.nan})
    assert "synthetic_iou" not in str(error.value)
    # Alone it stops nothing.
    assert LossGuard().on_epoch_end(0, {"loss": 1.0, "synthetic_iou": math.nan}) is None


def test_it_stops_a_real_fit_in_its_first_step():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(TrainingDivergedError, match="epoch 1, step 1"):
        model.fit(np.full((8, 2), np.nan), np.ones(8), callbacks=[LossGuard()], verbose=0)


def test_a_weight_that_the_last_step_broke_is_named():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="last")])
    model.compile(keras.optimizers.SGD(1e38), "mse")
    options = {"batch_size": 8, "callbacks": [LossGuard()], "verbose": 0}
    with pytest.raises(TrainingDivergedError, match=r"2 weights .* among them `.*last/kernel`"):
        model.fit(np.full((8, 2), 10.0), np.ones(8), **options)
