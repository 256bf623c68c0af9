import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad.layers.gradient_attention import (
    classifier_attention,
    gradient_attention,
    linear_head_attention,
    tape_attention,
)


def random_features(shape=(3, 4, 5, 6)):
    return tf.constant(np.random.default_rng(0).normal(size=shape).astype("float32"))


def conv_head(features):
    head = keras.layers.Conv2D(7, 1, bias_initializer="normal")
    head.build(features.shape)
    return head, head


def dense_head(features):
    head = keras.layers.Dense(7, bias_initializer="normal")
    flatten = keras.layers.Flatten()
    head.build((None, int(np.prod(features.shape[1:]))))
    return head, lambda x: head(flatten(x))


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-np.asarray(x, "float64")))


def test_map_is_the_sigmoid_of_channels_weighted_by_their_mean_gradient():
    # Two rows, one column, two channels. alpha = (mean(1, 3), mean(-2, 0)) = (2, -1).
    features = np.array([[[[1.0, 4.0]], [[0.5, -3.0]]]], "float32")
    gradients = np.array([[[[1.0, -2.0]], [[3.0, 0.0]]]], "float32")
    expected = sigmoid([2.0 * 1.0 - 4.0, 2.0 * 0.5 + 3.0]).reshape(1, 2, 1, 1)
    np.testing.assert_allclose(gradient_attention(features, gradients), expected, rtol=1e-6)


@pytest.mark.parametrize("make_head", [conv_head, dense_head])
def test_closed_form_equals_the_tape(make_head):
    features = random_features()
    layer, head = make_head(features)
    closed = linear_head_attention(layer.kernel, features)
    assert closed.shape == (3, 4, 5, 1)
    np.testing.assert_allclose(closed, tape_attention(head, features), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make_head", [conv_head, dense_head])
def test_closed_form_equals_the_tape_in_a_graph(make_head):
    features = random_features()
    layer, head = make_head(features)
    in_graph = tf.function(lambda x: tape_attention(head, x))(features)
    closed = tf.function(lambda x: linear_head_attention(layer.kernel, x))(features)
    np.testing.assert_allclose(closed, in_graph, rtol=1e-5, atol=1e-6)


def test_a_head_that_bends_is_differentiated_at_the_features():
    features = random_features((2, 2, 3, 4))
    kernel = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
    attention = tape_attention(lambda x: tf.tanh(x @ kernel), features)
    values = features.numpy().astype("float64")
    slope = 1.0 - np.tanh(values @ kernel) ** 2  # (2, 2, 3, 3)
    alpha = (slope @ kernel.T.astype("float64") / 3.0).mean(axis=(1, 2), keepdims=True)
    expected = sigmoid((alpha * values).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(attention, expected, rtol=1e-5)


def test_conv_map_is_the_mean_of_the_latent_mean_without_its_bias():
    # Published as a trap: under a 1x1 head Grad-CAM is the channel mean of the latent mean.
    features = random_features()
    layer, _ = conv_head(features)
    z_mean = np.asarray(layer(features)) - layer.bias.numpy()
    np.testing.assert_allclose(
        linear_head_attention(layer.kernel, features),
        sigmoid(z_mean.mean(axis=-1, keepdims=True)),
        rtol=1e-5,
    )


@pytest.mark.parametrize("make_head", [conv_head, dense_head])
def test_an_image_is_explained_without_its_batch_mates(make_head):
    features = random_features()
    layer, head = make_head(features)
    alone = tape_attention(head, features[1:2])
    np.testing.assert_allclose(tape_attention(head, features)[1:2], alone, rtol=1e-5)
    np.testing.assert_allclose(
        linear_head_attention(layer.kernel, features)[1:2], alone, rtol=1e-5, atol=1e-6
    )


def test_half_precision_features_give_a_float32_map():
    features = random_features()
    layer, _ = conv_head(features)
    half = linear_head_attention(layer.kernel, tf.cast(features, "float16"))
    assert half.dtype == "float32"
    np.testing.assert_allclose(half, linear_head_attention(layer.kernel, features), atol=2e-3)


@pytest.mark.parametrize("make_head", [conv_head, dense_head])
def test_attention_of_each_logit_equals_the_tape(make_head):
    features = random_features()
    layer, head = make_head(features)
    classifier = keras.layers.Dense(3, bias_initializer="normal", kernel_initializer="normal")
    flatten = keras.layers.Flatten()
    classifier(flatten(head(features)))
    closed = classifier_attention(layer.kernel, classifier.kernel, features)
    assert closed.shape == (3, 4, 5, 3)
    for index in range(3):
        with tf.GradientTape() as tape:
            tape.watch(features)
            logit = tf.reduce_sum(classifier(flatten(head(features)))[:, index])
        expected = gradient_attention(features, tape.gradient(logit, features))
        np.testing.assert_allclose(closed[..., index : index + 1], expected, rtol=1e-5, atol=1e-6)
