import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad.layers.adacos import fixed_adacos_scale
from kerasad.layers.cells import real_cells
from kerasad.models.adacos import ADACOS_MODES, build_adacos_classes, weighted_cross_entropy
from kerasad.models.base import TrainingBatch

SHAPE = (3, 4, 4, 5)


def random_embeddings(count=2, seed=0):
    """Embeddings (3, 4, 4, 5)."""
    values = np.random.default_rng(seed).normal(size=(count, *SHAPE))
    return values.astype("float32")


def make_mode(name, scale_mode="fixed", **options):
    return build_adacos_classes(name, (None, *SHAPE[1:]), scale_mode, 2, 3, **options)


def make_batch(valid=None):
    """16 px images in 4 x 4 cells of 4 px.

    Image 0 is clean; image 1 has a scar (2) over cell (0, 1) and an eighth of cell (1, 1); image 2
    has a blend (3) over a quarter and a pixel of cell (3, 0).
    """
    images = np.random.default_rng(5).random((3, 16, 16, 3)).astype("float32")
    mask = np.zeros((3, 16, 16, 1), "float32")
    mask[1, 0:4, 4:8] = 1.0
    mask[1, 4:5, 4:6] = 1.0
    mask[2, 12:14, 0:2] = 1.0
    mask[2, 14, 0] = 1.0
    family = np.array([0, 2, 3], "int32")
    return TrainingBatch(images, valid, images, images, mask, family, valid)


def replaced(batch, **changes):
    return dataclasses.replace(batch, **changes)


def embeds(embedding):
    """The function that embeds the target."""
    return lambda: embedding


def padded(columns=6):
    """Validity of images whose columns from `columns` on are padding."""
    valid = np.ones((3, 16, 16, 1), "float32")
    valid[:, :, columns:] = 0.0
    return valid


def log_softmax(logits):
    logits = np.asarray(logits, "float64")
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_cross_entropy_is_a_weighted_mean():
    labels = np.array([0, 2, 1])
    logits = np.array([[1.0, 0.0, -1.0], [0.5, 0.2, 0.1], [3.0, 1.0, 2.0]], "float32")
    weights = np.array([1.0, 3.0, 0.0], "float32")
    costs = -log_softmax(logits)[np.arange(3), labels]
    found = weighted_cross_entropy(labels, logits, weights)
    assert float(found) == pytest.approx((costs[0] + 3 * costs[1]) / 4, rel=1e-6)
    assert float(weighted_cross_entropy(labels, logits, 0 * weights)) == 0.0


@pytest.mark.parametrize("valid", [None, padded()], ids=["whole", "padded"])
def test_pretext_names_the_defect_of_each_cell(valid):
    mode, batch, (real, fake) = make_mode("pretext"), make_batch(valid), random_embeddings()
    logits = log_softmax(mode.adacos(real))
    good, defective = [], []
    for image in range(3):
        for row in range(4):
            for column in range(4):
                cell = slice(4 * row, 4 * row + 4), slice(4 * column, 4 * column + 4)
                if valid is not None and valid[image][cell].min() == 0:
                    continue
                coverage = batch.mask[image][cell].mean()
                cost = -logits[image, row, column]
                if coverage == 0:
                    good.append(cost[0])
                elif coverage > 0.25:
                    defective.append(cost[batch.family[image]])
    # Cell (0, 1) of image 1 counts only where there is no padding.
    assert len(defective) == (2 if valid is None else 1)
    expected = (np.mean(good) + np.mean(defective)) / 2
    batch = replaced(batch, mask=batch.mask * (1.0 if valid is None else valid))
    found = mode.discriminator_loss(real, fake, batch)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_critic_tells_good_cells_from_damaged_and_from_restored_ones():
    mode, batch, (real, fake) = make_mode("critic"), make_batch(), random_embeddings()
    good = np.asarray(real_cells(batch.mask, None, (4, 4))) > 0
    costs = -log_softmax(mode.adacos(real))
    damaged = [costs[1, 0, 1, 1], costs[2, 3, 0, 1]]
    restored = -log_softmax(mode.adacos(fake))[..., 1].mean()
    bad = (np.mean(damaged) + restored) / 2
    expected = (costs[..., 0][good].mean() + bad) / 2
    found = mode.discriminator_loss(real, fake, batch)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    paid = mode.generator_loss(fake, batch)
    assert float(paid) == pytest.approx(-log_softmax(mode.adacos(fake))[..., 0].mean(), rel=1e-5)


def test_pretext_without_defects_names_good_cells_alone():
    mode, batch, (real, fake) = make_mode("pretext"), make_batch(), random_embeddings()
    batch = replaced(batch, mask=0 * batch.mask)
    expected = -log_softmax(mode.adacos(real))[..., 0].mean()
    assert float(mode.discriminator_loss(real, fake, batch)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("valid", [None, padded()], ids=["whole", "padded"])
def test_pretext_pays_the_generator_for_cells_that_look_good(valid):
    mode, (_, fake) = make_mode("pretext"), random_embeddings()
    costs = -log_softmax(mode.adacos(fake))[..., 0]
    expected = costs.mean() if valid is None else costs[:, :, 0].mean()
    found = mode.generator_loss(fake, make_batch(valid))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_cluster_names_the_cluster_of_each_good_cell():
    mode, batch, (real, fake) = make_mode("cluster", seed=0), make_batch(), random_embeddings()
    mode.discriminator_loss(real, fake, batch, training=True)  # draws the clusters
    good = np.asarray(real_cells(batch.mask, None, (4, 4)))
    labels = np.asarray(mode.clusters(batch.target, good, grid=(4, 4)))
    assert len(np.unique(labels)) == 3
    costs = -np.take_along_axis(log_softmax(mode.adacos(real)), labels[..., None], -1)[..., 0]
    found = float(mode.discriminator_loss(real, fake, batch))
    assert found == pytest.approx(costs[good > 0].mean(), rel=1e-5)
    costs = -np.take_along_axis(log_softmax(mode.adacos(fake)), labels[..., None], -1)[..., 0]
    assert float(mode.generator_loss(fake, batch)) == pytest.approx(costs.mean(), rel=1e-5)


def test_instance_recognizes_the_image_behind_each_reconstruction():
    mode, batch, (real, fake) = make_mode("instance"), make_batch(), random_embeddings()
    good = np.asarray(real_cells(batch.mask, None, (4, 4)))[..., None]
    pooled = [unit((unit(x) * good).sum(axis=(1, 2))) for x in (real, fake)]
    logits = fixed_adacos_scale(3) * pooled[1] @ pooled[0].T
    expected = -np.diag(log_softmax(logits)).mean()
    found = mode.discriminator_loss(real, fake, batch)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    pooled = [unit(unit(x).sum(axis=(1, 2))) for x in (real, fake)]
    expected = -np.diag(log_softmax(fixed_adacos_scale(3) * pooled[1] @ pooled[0].T)).mean()
    found = mode.generator_loss(fake, batch, embeds(real))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_instance_survives_an_image_without_a_good_cell():
    mode, batch, (real, fake) = make_mode("instance", "dynamic"), make_batch(), random_embeddings()
    batch.mask[0] = 1.0
    real, fake = tf.constant(real), tf.constant(fake)
    with tf.GradientTape() as tape:
        tape.watch(fake)
        loss = mode.discriminator_loss(real, fake, batch, training=True)
    assert np.isfinite(float(loss))
    assert np.all(np.isfinite(tape.gradient(loss, fake)))


@pytest.mark.parametrize("name", ADACOS_MODES)
def test_generator_is_paid_through_the_reconstruction_alone(name):
    mode, (real, fake) = make_mode(name, seed=0), random_embeddings()
    real, fake = tf.constant(real), tf.constant(fake)
    with tf.GradientTape() as tape:
        tape.watch([real, fake])
        loss = mode.generator_loss(fake, make_batch(), embeds(real))
    to_real, to_fake = tape.gradient(loss, [real, fake])
    assert to_real is None
    assert np.any(to_fake.numpy() != 0)


@pytest.mark.parametrize("name", ADACOS_MODES)
@pytest.mark.parametrize("scale_mode", ["dynamic", "fixed"])
def test_only_the_discriminator_in_training_moves_the_dynamic_scale(name, scale_mode):
    mode, batch, (real, fake) = (
        make_mode(name, scale_mode, seed=0),
        make_batch(),
        random_embeddings(),
    )
    before = float(mode.adacos.scale)
    mode.generator_loss(fake, batch, embeds(real))
    mode.discriminator_loss(real, fake, batch)
    assert float(mode.adacos.scale) == before
    mode.discriminator_loss(real, fake, batch, training=True)
    assert (float(mode.adacos.scale) != before) == (scale_mode == "dynamic")


@pytest.mark.parametrize(("name", "count"), [("pretext", 2), ("cluster", 6)])
def test_prototypes_of_good_cells_have_unit_length(name, count):
    prototypes = np.asarray(make_mode(name).tensors(random_embeddings()[0])["prototypes"])
    assert prototypes.shape == (count, 5)
    np.testing.assert_allclose(np.linalg.norm(prototypes, axis=-1), 1.0, rtol=1e-5)


def test_an_embedding_at_a_prototype_is_called_good():
    mode = make_mode("pretext")
    prototypes = np.asarray(mode.tensors(random_embeddings()[0])["prototypes"])
    at_prototype = np.broadcast_to(prototypes[1], SHAPE)
    logits = np.asarray(mode.tensors(at_prototype)["class_logits"])
    assert logits.shape == (3, 4, 4, 4)
    np.testing.assert_allclose(logits.max(axis=-1), logits[..., 0])


def test_modes_without_prototypes_or_classes_say_so():
    assert make_mode("instance").tensors(random_embeddings()[0]) == {}
    assert set(make_mode("cluster").tensors(random_embeddings()[0])) == {"prototypes"}
    assert make_mode("none") is None


@pytest.mark.parametrize("name", ADACOS_MODES)
def test_config_survives(name):
    mode = ADACOS_MODES[name](scale_mode="fixed", num_sub_centers=3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(mode))
    assert type(again) is type(mode)
    assert again.get_config() == mode.get_config()


@pytest.mark.parametrize("name", ["pretext", "cluster"])
def test_a_seed_decides_the_centers(name):
    first, second, other = (make_mode(name, seed=seed).adacos.kernel for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
