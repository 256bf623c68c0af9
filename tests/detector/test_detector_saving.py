"""Detectors of a real model: saved, loaded elsewhere, exported, and left alone by training."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import VAEGAN, AnomalyDetector
from kerasad.detector.experts import CellGaussian, CellMemory, PixelResidual, SSIMResidual

FRESH_PROCESS = Path(__file__).with_name("fresh_process.py")
SIDE = 32
NAMES = ["plain", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tiled", "padded"))]
OF_ONE_PROCESS = {"plain": ["plain"], "tiled": ["tiled", "padded"], "padded": ["tiled", "padded"]}


def make_model(**options):
    return VAEGAN(
        (SIDE, SIDE, 3), filters=4, depth=2, latent_dim=4, embedding_dim=8, seed=0, **options
    )


def few_experts():
    return [
        PixelResidual(name="residual", position_free=True),
        SSIMResidual(7, name="ssim", position_free=True),
        CellGaussian("encoder_features", 4, seed=5, name="gaussian", position_free=True),
        CellMemory("encoder_features", 50, max_channels=3, name="memory", position_free=True),
    ]


def make_padded():
    """For padded images, of a model in half precision."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return AnomalyDetector(make_model(), few_experts(), keep_aspect=True, smoothing=0.0)
    finally:
        keras.mixed_precision.set_global_policy("float32")


BUILDERS = {
    "plain": lambda: AnomalyDetector(make_model(), few_experts()),
    "tiled": lambda: AnomalyDetector(
        make_model(latent="dense"), few_experts(), image_size=(40, 56), overlap=8
    ),
    "padded": make_padded,
}


def draw_inputs(name, images):
    """Inputs for prediction: of the exact size, of another one, or padded."""
    if name != "padded":
        return {"images": images(3, 56, 44, seed=4)}
    valid = np.zeros((3, SIDE, SIDE, 1), "float32")
    valid[0, :20], valid[1, :, :11], valid[2] = 1, 1, 1
    return {"images": images(3, SIDE, SIDE, seed=4), "valid": valid}


@pytest.fixture(scope="module")
def detectors(good_images, batched):
    """Function of a name that returns a calibrated detector."""

    @functools.cache
    def make(name):
        detector = BUILDERS[name]()
        train = batched(good_images(6, SIDE, SIDE))
        validation = batched(good_images(4, *detector.image_size, seed=1))
        detector.adapt(train, validation, num_defects=8, verbose=0)
        good = batched(good_images(9, *detector.image_size, seed=2))
        detector.calibrate(good, false_alarm_rate=0.15, review_rate=0.35, verbose=0)
        return detector

    return make


@pytest.fixture(scope="module")
def saved(detectors, good_images, tmp_path_factory):
    """Function of a name that returns a folder with the saved detector of that name.

    A fresh process has loaded it and predicted.
    """

    @functools.cache
    def predict_elsewhere(*names):
        folder = tmp_path_factory.mktemp("saved")
        for name in names:
            detectors(name).save(folder / f"{name}.keras")
            np.savez(folder / f"{name}.inputs.npz", **draw_inputs(name, good_images))
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        result = subprocess.run(
            [sys.executable, str(FRESH_PROCESS), str(folder)],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        return folder

    return lambda name: predict_elsewhere(*OF_ONE_PROCESS[name])


def predict(detector, inputs):
    return detector.predict(inputs if "valid" in inputs else inputs["images"], verbose=0)


@pytest.mark.parametrize("name", NAMES)
def test_fresh_process_predicts_bit_identically(detectors, saved, good_images, name):
    expected = predict(detectors(name), draw_inputs(name, good_images))
    found = np.load(saved(name) / f"{name}.outputs.npz")
    assert set(found) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, key)


@pytest.mark.parametrize("name", NAMES)
def test_fresh_process_knows_the_calibration_and_needs_no_custom_objects(detectors, saved, name):
    found = json.loads((saved(name) / "found.json").read_text())
    assert found["custom_objects"] > 0  # what `import kerasad` registers
    assert found[name] == detectors(name).calibration_summary()


@pytest.mark.parametrize("name", NAMES[:2])
def test_loaded_detector_can_be_calibrated_anew(detectors, saved, good_images, batched, name):
    detector = detectors(name)
    loaded = keras.saving.load_model(saved(name) / f"{name}.keras")
    if name == "tiled":
        assert loaded.tiles.starts == detector.tiles.starts
    loaded.calibrate(None, false_alarm_rate=0.5, verbose=0)
    scores = detector.decision.stored_scores()
    assert loaded.threshold == scores[4]
    loaded.calibrate(batched(good_images(4, *detector.image_size, seed=7)), verbose=0)
    assert loaded.calibration_summary()["num_images"] == 4


@pytest.mark.slow  # the tests of `kerasad.export` have the same of the files that are served
@pytest.mark.parametrize("name", ["plain", "tiled"])
def test_exported_call_equals_predict(detectors, good_images, tmp_path, name):
    detector = detectors(name)
    archive = keras.export.ExportArchive()
    archive.track(detector)
    exact = tf.TensorSpec((None, *detector.image_size, 3), "float32")
    archive.add_endpoint("exact", detector.call, [exact])
    archive.add_endpoint("any_size", detector.call, [tf.TensorSpec((None, None, None, 3))])
    archive.write_out(tmp_path / name, verbose=False)
    served = tf.saved_model.load(tmp_path / name)
    images = good_images(3, *detector.image_size, seed=4)
    expected = detector.predict(images, verbose=0)
    for key, value in served.exact(tf.constant(images)).items():
        np.testing.assert_array_equal(value, expected[key], key)
    images = good_images(2, 56, 44, seed=4)
    expected = detector.predict(images, verbose=0)
    for key, value in served.any_size(tf.constant(images)).items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-5, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_score_does_not_depend_on_batch_mates(detectors, good_images, name):
    detector, inputs = detectors(name), draw_inputs(name, good_images)
    together = predict(detector, inputs)
    for index in range(3):
        single = predict(detector, {key: x[index : index + 1] for key, x in inputs.items()})
        for key, value in single.items():
            np.testing.assert_allclose(
                value, together[key][index : index + 1], rtol=1e-5, atol=1e-5, err_msg=key
            )


def test_training_the_model_further_does_not_change_the_detector(good_images):
    model = make_model()
    detector = AnomalyDetector(model, few_experts())
    images = good_images(2, SIDE, SIDE)
    before, reconstruction = detector.score_on_batch(images), np.asarray(model(images))
    model.compile(run_eagerly=True)
    model.train_on_batch(images)
    assert np.abs(np.asarray(model(images)) - reconstruction).max() > 1e-4
    for key, value in detector.score_on_batch(images).items():
        np.testing.assert_array_equal(value, before[key], key)


def test_default_experts_are_all_that_the_model_can_serve():
    detector = AnomalyDetector(make_model())
    experts = [expert.name for expert in detector.experts]
    assert {"pixel_residual", "ssim_residual", "encoder_gaussian"} <= set(experts)
    assert list(detector.calibration_summary()["experts"]) == experts
    assert not any(expert.position_free for expert in detector.experts)
