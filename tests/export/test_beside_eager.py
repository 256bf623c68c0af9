"""The gate compares with eager mode, since two graphs share what an optimizer gets wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import AnomalyDetector
from kerasad.data.geometry import unpack_inputs
from kerasad.detector.experts import PixelResidual
from kerasad.export import ParityError, export_saved_model
from kerasad.models.base import AnomalyModel


@keras.saving.register_keras_serializable(package="kerasad_tests")
class FusedModel(AnomalyModel):
    """Convolution + bias + add + LeakyReLU, which oneDNN fuses as if the slope were 0.2."""

    def __init__(self, slope, **kwargs):
        super().__init__(**kwargs)
        self.slope = slope
        self.image_shape = (32, 32, 3)
        images = keras.Input(self.image_shape)
        low = keras.initializers.Constant(-2.0)
        x = keras.layers.Conv2D(3, 3, padding="same", bias_initializer=low)(images)
        x = keras.layers.LeakyReLU(slope)(keras.layers.Add()([images, x]))
        self.network = keras.Model(images, x)

    def tensors(self, inputs):
        images, _ = unpack_inputs(inputs)
        restored = self.network(images)
        return {"images": images, "reconstruction": restored, "attention_map": images[..., :1]}

    def get_config(self):
        return {**super().get_config(), "slope": self.slope}


@pytest.fixture
def make_detector(images):
    def make(slope):
        detector = AnomalyDetector(FusedModel(slope), [PixelResidual(name="residual")])
        good = tf.data.Dataset.from_tensor_slices(images(8, 32, 32)).batch(4)
        detector.adapt(good, good, num_defects=8, verbose=0)
        detector.calibrate(good, false_alarm_rate=0.2, verbose=0)
        return detector

    return make


def test_a_graph_that_differs_from_eager_mode_is_not_published(make_detector, images, tmp_path):
    detector = make_detector(0.1)
    graph = detector.predict_on_batch(images(1, 32, 32))["anomaly_map"]
    if np.allclose(graph, detector.call_eagerly(images(1, 32, 32))["anomaly_map"], atol=1e-4):
        pytest.skip("this TensorFlow computes the slope as it is")
    with pytest.raises(ParityError, match=r"beside eager mode.*nothing was published"):
        export_saved_model(detector, tmp_path / "model", warmup=False)
    assert not (tmp_path / "model" / "1").exists()


def test_the_slope_of_this_package_is_published(make_detector, tmp_path):
    assert export_saved_model(make_detector(0.2), tmp_path / "model", warmup=False).is_dir()
