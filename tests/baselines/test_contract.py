"""What every baseline promises, whatever its method."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from small_baselines import NAMES, SHAPE, make_baseline

from kerasad import AnomalyDetector
from kerasad.detector.experts.model_map import ModelMap
from kerasad.training.building import compile_model
from kerasad.training.config import ModelConfig, TrainingConfig
from kerasad.training.recipes import RECIPES, resolve_training

TRAINED = [name for name in NAMES if RECIPES[name].steps]
EPOCHS = {"f_anogan": 2}  # a phase each


def fitted(name, images, **options):
    """A model after a step of its training, or after its statistics were measured."""
    model = make_baseline(name, **options)
    if name not in TRAINED:
        model.adapt(images)
        return model
    compile_model(model, resolve_training(ModelConfig(name), TrainingConfig()), steps=1)
    model.run_eagerly = True
    before = [np.asarray(weight) for weight in model.trained_weights]
    history = model.fit(images, epochs=EPOCHS.get(name, 1), verbose=0).history
    assert np.isfinite(list(history.values())).all()
    moved = [not np.array_equal(*pair) for pair in zip(before, model.trained_weights, strict=True)]
    assert any(moved)
    return model


@pytest.fixture(scope="module")
def models(images):
    return {name: fitted(name, images) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_baseline_comes_back_as_it_was(models, images, tmp_path, name):
    model = models[name]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    assert json.dumps(model.get_config())
    for weight, same in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(weight, same, err_msg=weight.path)
    for key, value in model.tensors(images).items():
        np.testing.assert_array_equal(value, again.tensors(images)[key], err_msg=key)
    if name in TRAINED:
        state = [np.asarray(each) for each in again.optimizer.variables]
        assert len(state) == len(model.optimizer.variables)
        for value, same in zip(model.optimizer.variables, state, strict=True):
            np.testing.assert_array_equal(value, same)


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_uses_the_map_of_the_method_alone(models, images, name):
    detector = AnomalyDetector(models[name])
    assert [type(expert) for expert in detector.experts] == [ModelMap]
    maps, _ = detector.expert_maps(images)
    height, width = detector.frame.cell_grid or SHAPE[:2]
    assert maps.shape == (len(images), height, width, 1)
    assert np.isfinite(maps).all()
    assert np.ptp(maps) > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_residual_has_the_size_of_the_images(models, images, name):
    # What watches over a training compares it with masks.
    assert models[name].residual_map(images).shape == (*images.shape[:3], 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_map_of_an_image_does_not_depend_on_its_batch(models, images, name):
    model = models[name]
    whole, alone = model.residual_map(images), model.residual_map(images[2:3])
    np.testing.assert_allclose(whole[2:3], alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", TRAINED)
def test_padding_does_not_count(name):
    images = np.random.default_rng(0).uniform(size=(4, *SHAPE)).astype("float32")
    valid = np.ones((*images.shape[:3], 1), "float32")
    valid[:, :, 8:] = 0.0
    model = make_baseline(name)
    compile_model(model, resolve_training(ModelConfig(name), TrainingConfig()), steps=1)
    model.run_eagerly = True
    logs = model.test_on_batch({"images": images, "valid": valid}, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    whole = model.test_on_batch(images, return_dict=True)
    assert logs["loss"] != whole["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", TRAINED)
def test_half_precision_trains(images, name, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = fitted(name, images)
        assert all(np.isfinite(weight).all() for weight in model.weights)
    finally:
        keras.config.set_dtype_policy(before)
    assert {str(value.dtype) for value in model.tensors(images).values()} <= {
        "float32",
        "<dtype: 'float32'>",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_a_graph_trains_as_eager_mode_does(images, name):
    eager = fitted(name, images)
    graph = make_baseline(name)
    compile_model(graph, resolve_training(ModelConfig(name), TrainingConfig()), steps=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", category=FutureWarning)
        graph.fit(images, epochs=EPOCHS.get(name, 1), shuffle=False, verbose=0)
    assert len(graph.weights) == len(eager.weights)
    assert all(np.isfinite(weight).all() for weight in graph.weights)


@pytest.mark.slow
def test_a_fresh_process_opens_every_baseline(models, images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    program = (
        "import sys, keras, kerasad, numpy as np\n"
        "from pathlib import Path\n"
        "folder = Path(sys.argv[1])\n"
        "images = np.load(folder / 'images.npy')\n"
        "for path in folder.glob('*.keras'):\n"
        "    model = keras.saving.load_model(path, safe_mode=True)\n"
        "    np.save(path.with_suffix('.npy'), model.residual_map(images))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, model in models.items():
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_array_equal(found, model.residual_map(images), err_msg=name)
