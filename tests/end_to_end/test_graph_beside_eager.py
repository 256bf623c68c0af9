"""A graph computes what eager mode computes, for any number of images, whatever kernels run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from kerasad.models.networks import LEAKY_SLOPE

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("graph_beside_eager.py")
TOLERANCE = 1e-4
"""Of a tensor's largest value. A slope of .1 taken for .2 differs by .01 and more."""


@pytest.fixture(scope="module", params=["1", "0"], ids=["with oneDNN", "without oneDNN"])
def differences(request, tmp_path_factory):
    """What a fresh process found, by model and way of execution."""
    result = tmp_path_factory.mktemp("differences") / "found.json"
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": request.param}
    subprocess.run([sys.executable, SCRIPT, result], check=True, env=environment)
    return json.loads(result.read_text())


def test_every_model_computes_in_graphs_what_it_computes_eagerly(differences):
    assert len(differences) >= 10
    wrong = {
        f"{model}, {way}": difference
        for model, ways in differences.items()
        for way, difference in ways.items()
        if not difference < TOLERANCE
    }
    assert not wrong


def test_the_slope_of_this_package_survives_the_fused_kernel():
    images = tf.random.normal((2, 8, 8, 4), seed=0)
    kernel, bias = tf.random.normal((3, 3, 4, 4), seed=1), tf.random.normal((4,), seed=2)

    def block(x):
        y = tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)
        return tf.nn.leaky_relu(x + y, LEAKY_SLOPE)

    graph = tf.function(block, autograph=False)
    assert float(tf.reduce_max(tf.abs(graph(images) - block(images)))) < 1e-5
