"""A detector of a model that offers nothing but features."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasad import AnomalyDetector
from kerasad.overlay import ColourScale

SHAPE = (32, 48, 3)
TILED = {"image_size": (48, 80), "overlap": 8}


@pytest.fixture(scope="module")
def brightness_model():
    sys.path.insert(0, str(Path(__file__).parent))  # as in the fresh process
    try:
        from brightness_model import BrightnessModel
    finally:
        sys.path.pop(0)
    return BrightnessModel(SHAPE)


def make_detector(model, good_images, batched, **options):
    detector = AnomalyDetector(model, **options)
    size = detector.image_size
    detector.adapt(
        batched(good_images(8, *SHAPE[:2])),
        batched(good_images(6, *size, seed=1)),
        num_defects=8,
        verbose=0,
    )
    detector.calibrate(batched(good_images(19, *size, seed=2)), verbose=0)
    return detector


@pytest.fixture(scope="module")
def made(brightness_model, good_images, batched):
    return {
        "whole": make_detector(brightness_model, good_images, batched),
        "tiled": make_detector(brightness_model, good_images, batched, **TILED),
    }


@pytest.mark.parametrize("name", ["whole", "tiled"])
def test_a_detector_finds_a_defect_by_features_alone(made, good_images, name):
    detector = made[name]
    assert [expert.name for expert in detector.experts] == ["patch_gaussian", "feature_memory"]
    images = good_images(2, *detector.image_size, seed=3)
    images[1, 8:16, 16:28] = [0.9, 0.2, 0.1]
    outputs = detector.predict(images, verbose=0)
    assert outputs["is_anomalous"].tolist() == [False, True]
    assert detector.reconstruct(images) is None


@pytest.mark.parametrize("name", ["whole", "tiled"])
def test_in_place_of_attention_there_is_the_map_on_its_colour_scale(made, good_images, name):
    detector = made[name]
    images = good_images(2, *detector.image_size, seed=3)
    images[1, 8:16, 16:28] = [0.9, 0.2, 0.1]
    outputs = detector.predict(images, verbose=0)
    level = ColourScale(detector.pixel_threshold).level(outputs["anomaly_map"])
    np.testing.assert_allclose(outputs["attention_map"], level, atol=1e-6)
    assert outputs["attention_map"].max() == 1
    marked = outputs["anomaly_map"] > detector.pixel_threshold
    np.testing.assert_array_equal(outputs["attention_map"] > 0.5, marked)


@pytest.mark.slow
def test_a_fresh_process_predicts_bit_identically(made, good_images, tmp_path):
    for name, detector in made.items():
        detector.save(tmp_path / f"{name}.keras")
        images = good_images(3, *detector.image_size, seed=4)
        np.savez(tmp_path / f"{name}.inputs.npz", images=images)
    script = Path(__file__).with_name("fresh_process.py")
    subprocess.run(
        [sys.executable, str(script), str(tmp_path), "brightness_model"],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=Path(__file__).parents[2],
        check=True,
    )
    for name, detector in made.items():
        found = np.load(tmp_path / f"{name}.outputs.npz")
        images = good_images(3, *detector.image_size, seed=4)
        for key, value in detector.predict(images, verbose=0).items():
            np.testing.assert_array_equal(found[key], value, key)


def test_attention_of_a_copy_follows_the_threshold(made, good_images):
    detector = made["whole"]
    config = keras.saving.serialize_keras_object(detector)
    copy = keras.saving.deserialize_keras_object(config)
    copy.set_weights(detector.get_weights())
    copy.decision.pixel_threshold.assign(2 * detector.pixel_threshold)
    images = good_images(2, *SHAPE[:2], seed=3)
    one, two = (each.predict(images, verbose=0)["attention_map"] for each in (detector, copy))
    np.testing.assert_allclose(two[one < 1], one[one < 1] / 2, atol=1e-6)
