"""The gate compares with eager mode, since two graphs share what an optimizer gets wrong."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import AnomalyDetector
from kerasad.data.decoding import Decoding
from kerasad.data.geometry import unpack_inputs
from kerasad.detector.experts import PixelResidual
from kerasad.export import ParityError, execution
from kerasad.export.parity import check_parity
from kerasad.export.samples import collect_samples
from kerasad.export.signatures import build_served
from kerasad.models.base import AnomalyModel


@keras.saving.register_keras_serializable(package="kerasad_tests")
class FusedModel(AnomalyModel):
    """Convolution + bias + add + LeakyReLU, which oneDNN fuses as if the slope were 0.2."""

    def __init__(self, slope=0.2, image_shape=(32, 32, 3), **kwargs):
        super().__init__(**kwargs)
        self.slope = slope
        self.image_shape = tuple(image_shape)
        images = keras.Input(self.image_shape)
        low = keras.initializers.Constant(-2.0)
        x = keras.layers.Conv2D(3, 3, padding="same", bias_initializer=low)(images)
        x = keras.layers.LeakyReLU(slope)(keras.layers.Add()([images, x]))
        self.network = keras.Model(images, x)

    def tensors(self, inputs):
        images, _ = unpack_inputs(inputs)
        restored = self.network(images)
        return {"images": images, "reconstruction": restored, "attention_map": images[..., :1]}


@pytest.fixture
def check(images, tmp_path):
    """Function of a slope that runs the gate on an export, in this process."""

    def run(slope):
        detector = AnomalyDetector(FusedModel(slope), [PixelResidual(name="residual")])
        good = tf.data.Dataset.from_tensor_slices(images(8, 32, 32)).batch(4)
        detector.adapt(good, good, num_defects=8, verbose=0)
        detector.calibrate(good, false_alarm_rate=0.2, verbose=0)
        module, signatures = build_served(detector, Decoding())
        tf.saved_model.save(module, str(tmp_path / "version"), signatures=signatures)
        (tmp_path / "scratch").mkdir()
        samples, _ = collect_samples((), detector.geometry, Decoding())
        folders = tmp_path / "version", tmp_path / "scratch"
        return check_parity(detector, folders[0], samples[:2], 2, folders[1], run=execution.main)

    return run


def fused_wrongly(images):
    """Whether this TensorFlow takes a slope of 0.1 for 0.2 in a graph."""
    model, inputs = FusedModel(0.1), tf.constant(images)
    graph = tf.function(model.network)(inputs)
    return not np.allclose(graph, model.network(inputs), atol=1e-4)


def test_a_graph_that_differs_from_eager_mode_is_refused(check, images):
    if not fused_wrongly(images(1, 32, 32)):
        pytest.skip("this TensorFlow computes the slope as it is")
    with pytest.raises(ParityError, match=r"compared with eager mode.*nothing was published"):
        check(0.1)


@pytest.mark.slow
def test_the_slope_of_this_package_passes(check):
    assert check(0.2)["largest_difference"]
