"""A detector that knows no threshold refuses to decide, and gives scores and maps all the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import AnomalyDetector, InputError
from kerasad.data.decoding import Decoding
from kerasad.detector.drift import measure_drift
from kerasad.detector.experts import PixelResidual
from kerasad.evaluation import evaluate
from kerasad.export import export_saved_model
from kerasad.export.signatures import build_served

SIZE = (32, 48)
SENTENCE = r"^The detector is not calibrated.*call its `calibrate` with good images first\.$"


@pytest.fixture(scope="module")
def detector(make_model):
    return AnomalyDetector(make_model((*SIZE, 3)), [PixelResidual()])


@pytest.fixture(scope="module")
def images(good_images):
    return good_images(4, *SIZE)


@pytest.mark.parametrize(
    "ask",
    [
        lambda detector, images: detector(images),
        lambda detector, images: detector({"images": images}),
        lambda detector, images: detector.predict(images, verbose=0),
        lambda detector, images: detector.predict_on_batch(images),
        lambda detector, images: list(detector.predict_stream([images])),
        lambda detector, images: detector.call_eagerly(images),
        lambda detector, images: detector.call(images),
    ],
    ids=["call", "dict", "predict", "predict_on_batch", "stream", "eagerly", "call_itself"],
)
def test_nothing_public_decides(detector, images, ask):
    with pytest.raises(InputError, match=SENTENCE):
        ask(detector, images)


def test_a_graph_made_before_the_calibration_refuses_until_there_is_one(make_model, images):
    detector = AnomalyDetector(make_model((*SIZE, 3)), [PixelResidual()])
    graph = tf.function(detector.call)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not calibrated"):
        graph(tf.constant(images))
    detector.decision.calibrate([1.0])  # a single image: nothing is guaranteed, but it decides
    assert not graph(tf.constant(images))["is_anomalous"].numpy().any()
    assert not detector.predict(images, verbose=0)["is_anomalous"].any()
    detector.decision.forget()
    with pytest.raises(tf.errors.InvalidArgumentError, match="not calibrated"):
        graph(tf.constant(images))


def test_the_assertion_of_a_graph_becomes_the_sentence_inside_the_detector(detector, images):
    class Wrapper(keras.layers.Layer):
        def call(self, inputs):
            return detector(inputs)["anomaly_score"]

    model = keras.Sequential([Wrapper()])
    with pytest.raises((InputError, tf.errors.InvalidArgumentError), match="not calibrated"):
        model.predict(images, verbose=0)


def test_scores_and_maps_need_no_calibration(make_model, images):
    detector = AnomalyDetector(make_model((*SIZE, 3)), [PixelResidual()])
    found = detector.score_on_batch(images)
    assert set(found) == {"anomaly_map", "anomaly_score"}
    ((streamed, inputs, targets),) = detector.score_stream([(images, "targets")])
    assert inputs is images
    assert targets == "targets"
    detector.calibrate(images, verbose=0)
    outputs = detector.predict(images, verbose=0)
    for name, value in found.items():
        np.testing.assert_array_equal(outputs[name], value, name)
        np.testing.assert_array_equal(streamed[name], value, name)
    assert detector.threshold == found["anomaly_score"].max()


def test_an_uncalibrated_detector_is_saved_and_loaded(detector, images, tmp_path):
    detector.save(tmp_path / "detector.keras")
    loaded = keras.saving.load_model(tmp_path / "detector.keras")
    expected = detector.score_on_batch(images)
    for name, value in loaded.score_on_batch(images).items():
        np.testing.assert_array_equal(value, expected[name], name)
    with pytest.raises(InputError, match=SENTENCE):
        loaded.predict(images, verbose=0)
    loaded.calibrate(images, verbose=0)
    loaded.predict(images, verbose=0)


def test_what_needs_decisions_refuses_before_it_begins(detector, images, tmp_path):
    for ask in (
        lambda: evaluate(detector, images, verbose=0),
        lambda: measure_drift(detector, [images, images]),
        lambda: export_saved_model(detector, tmp_path / "model"),
        lambda: build_served(detector, Decoding()),
        lambda: detector.export(tmp_path / "model", verbose=False),
    ):
        with pytest.raises(InputError, match=SENTENCE):
            ask()
    assert not any(tmp_path.iterdir())
