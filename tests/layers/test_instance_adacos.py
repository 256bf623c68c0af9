import keras
import numpy as np
import pytest
from helpers import check_layer

from kerasad import InputError
from kerasad.layers.adacos import InstanceAdaCos, fixed_adacos_scale


def random_pair(count=4, dim=3):
    generator = np.random.default_rng(1)
    shape = (2, count, dim)
    return generator.normal(size=shape).astype("float32")


def naive_cosine(embeddings, anchors):
    cosine = np.zeros((len(embeddings), len(anchors)))
    for i, embedding in enumerate(embeddings):
        for j, anchor in enumerate(anchors):
            norms = np.linalg.norm(embedding) * np.linalg.norm(anchor)
            cosine[i, j] = embedding @ anchor / norms
    return cosine


def naive_scale(cosine, scale):
    count = len(cosine)
    others = [
        sum(np.exp(scale * cosine[i, j]) for j in range(count) if j != i) for i in range(count)
    ]
    angles = sorted(np.arccos(cosine[i, i]) for i in range(count))
    median = angles[(count - 1) // 2]  # the lower one of an even number
    return max(np.log(np.mean(others)) / np.cos(min(np.pi / 4, median)), 1.0)


@pytest.mark.parametrize("mode", ["dynamic", "fixed"])
def test_contract(mode):
    check_layer(
        lambda **options: InstanceAdaCos(mode, **options),
        *random_pair(),
        shape=(4, 4),
        mixed_dtype="float32",
        training=True,
    )


def test_unknown_scale_mode_is_named():
    with pytest.raises(InputError, match=r"`scale_mode`.*'auto'"):
        InstanceAdaCos("auto")


@pytest.mark.parametrize("training", [False, True])
def test_fixed_scale_follows_the_size_of_the_batch(training):
    layer = InstanceAdaCos("fixed")
    for count in (3, 5):
        embeddings, anchors = random_pair(count)
        expected = fixed_adacos_scale(count) * naive_cosine(embeddings, anchors)
        logits = layer(embeddings, anchors, training=training)
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-6)


def test_dynamic_scale_follows_a_naive_loop():
    layer = InstanceAdaCos()
    embeddings, anchors = random_pair(5)
    cosine, scale = naive_cosine(embeddings, anchors), fixed_adacos_scale(5)
    for _ in range(3):
        logits = layer(embeddings, anchors, training=True)
        scale = naive_scale(cosine, scale)
        assert float(layer.scale) == pytest.approx(scale, rel=1e-5)
        np.testing.assert_allclose(logits, scale * cosine, rtol=1e-4, atol=1e-6)


def test_outside_training_the_scale_of_training_is_used_and_kept():
    layer = InstanceAdaCos()
    embeddings, anchors = random_pair(5)
    layer(embeddings, anchors, training=True)
    scale = float(layer.scale)
    few = layer(embeddings[:3], anchors[:3])
    np.testing.assert_allclose(
        few, scale * naive_cosine(embeddings[:3], anchors[:3]), rtol=1e-4, atol=1e-6
    )
    assert float(layer.scale) == scale


@pytest.mark.parametrize("count", [1, 2])
def test_a_batch_below_three_teaches_nothing_and_leaves_the_scale_alone(count):
    layer = InstanceAdaCos()
    layer(*random_pair(6), training=True)
    scale = float(layer.scale)
    np.testing.assert_array_equal(layer(*random_pair(count), training=True), 0.0)
    assert float(layer.scale) == scale


def test_anchors_get_no_gradient():
    import tensorflow as tf

    embeddings, anchors = (tf.constant(value) for value in random_pair())
    layer = InstanceAdaCos()
    with tf.GradientTape() as tape:
        tape.watch([embeddings, anchors])
        loss = keras.ops.sum(layer(embeddings, anchors)[0])
    to_embeddings, to_anchors = tape.gradient(loss, [embeddings, anchors])
    assert np.any(to_embeddings.numpy() != 0)
    assert to_anchors is None


def test_scale_survives_saving(tmp_path):
    embeddings, anchors = keras.Input((3,)), keras.Input((3,))
    layer = InstanceAdaCos()
    model = keras.Model([embeddings, anchors], layer(embeddings, anchors))
    layer(*random_pair(5), training=True)
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert float(reloaded.layers[-1].scale) == float(layer.scale) > 0
