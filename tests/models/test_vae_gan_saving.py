import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

FRESH_PROCESS = Path(__file__).with_name("fresh_process.py")


def optimizer_state(model):
    spec = importlib.util.spec_from_file_location("fresh_process", FRESH_PROCESS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.optimizer_state(model)


def compiled(model):
    model.compile(keras.optimizers.Adam(2e-3), keras.optimizers.Adam(5e-4), run_eagerly=True)
    return model


def same_weights(model, other):
    for weight, same in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), same.numpy(), err_msg=weight.path)
    np.testing.assert_array_equal(optimizer_state(model), optimizer_state(other))


@pytest.fixture(scope="module")
def saved(make_model, images, trained, tmp_path_factory):
    """Three saved models, and what a fresh process found in them."""
    folder = tmp_path_factory.mktemp("saved")
    models = {"graph": trained[0]}
    for name, options in {
        "half": {"dtype": "mixed_float16", "latent": "dense", "adacos": "cluster"},
        "brain": {"dtype": "mixed_bfloat16", "adacos": "instance", "attention_layer": 1},
    }.items():
        models[name] = compiled(make_model(**options))
        models[name].train_on_batch(images)
    np.save(folder / "images.npy", images)
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, str(FRESH_PROCESS), str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, models, json.loads((folder / "found.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["graph", "half", "brain"])
def test_a_fresh_process_predicts_bit_identically(saved, images, name):
    folder, models, _ = saved
    np.testing.assert_array_equal(
        np.load(folder / f"{name}_prediction.npy"), models[name].predict(images, verbose=0)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "iterations", "policy"),
    [
        ("graph", 4, "float32"),
        ("half", 1, "mixed_float16"),
        ("brain", 1, "mixed_bfloat16"),
    ],
)
def test_a_fresh_process_finds_both_optimizers_as_they_were(saved, name, iterations, policy):
    folder, models, found = saved
    assert found[name]["iterations"] == [iterations, iterations]
    assert found[name]["policy"] == policy
    state = np.load(folder / f"{name}_optimizers.npy")
    np.testing.assert_array_equal(state, optimizer_state(models[name]))
    assert np.any(state != 0)


def test_a_reloaded_model_has_the_same_config_and_state(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert again.get_config() == model.get_config()
    same_weights(again, model)


def test_an_uncompiled_model_reloads(make_model, images, tmp_path):
    model = make_model()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert not again.compiled
    np.testing.assert_array_equal(again(images), model(images))


def test_weights_alone_move_to_another_model(trained, make_model, images, tmp_path):
    model, _ = trained
    model.save_weights(tmp_path / "model.weights.h5")
    other = make_model(seed=9)
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other(images), model(images))


@pytest.mark.parametrize("adacos", ["pretext", "cluster"])
def test_a_resumed_training_goes_on_as_if_it_had_never_stopped(
    make_model, images, tmp_path, adacos
):
    model = compiled(make_model(adacos=adacos, kl_warmup_steps=3))
    model.train_on_batch(images)
    model.save(tmp_path / "model.keras")
    resumed = keras.saving.load_model(tmp_path / "model.keras")
    logs = []
    for each in (model, resumed):
        each.reset_metrics()
        logs.append(each.train_on_batch(images, return_dict=True))
    assert logs[0] == logs[1]
    same_weights(model, resumed)


class Crash(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def test_backup_and_restore_goes_on_as_if_it_had_never_stopped(make_model, images, tmp_path):
    options = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}
    whole, broken, resumed = (compiled(make_model(adacos="cluster")) for _ in range(3))
    whole.fit(images, **options)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(KeyboardInterrupt):
        broken.fit(images, callbacks=[backup(), Crash()], **options)
    resumed.fit(images, callbacks=[backup()], **options)
    assert int(resumed.optimizer.iterations) == 2
    assert int(resumed.discriminator_optimizer.iterations) == 2
    same_weights(resumed, whole)
