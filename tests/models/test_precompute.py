import numpy as np
import pytest
import tensorflow as tf

import kerasad
from kerasad.models import FeatureExtractor

SHAPE = (32, 32, 3)
COPY = 2 * 4 * 4 * (176 + 1)  # bytes of the features of an image and of the damage to it


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((10, *SHAPE), "float32")


def in_batches(images):
    return tf.data.Dataset.from_tensor_slices(images).batch(4)


@pytest.fixture(scope="module")
def model():
    return kerasad.FeatureVAEGAN(SHAPE, filters=4, adacos="none", corruption=1.0, seed=0)


@pytest.fixture(scope="module")
def rows(model, images):
    return model.precompute(in_batches(images), 10, 5 * 10 * COPY)


def test_what_does_not_fit_in_memory_is_not_computed(model):
    def fail():
        raise AssertionError("an image was read")
        yield

    assert model.precompute(fail(), 10, 10 * COPY - 1) is None


def test_each_image_has_a_row_of_its_own_features(model, rows, images):
    assert rows["features"].dtype == tf.float16
    expected = model.view.raw_features(images)
    np.testing.assert_allclose(rows["features"][:, 0], expected, rtol=2e-3, atol=1e-3)


def test_damaged_copies_fill_the_room_and_differ_where_they_are_damaged(model, rows, images):
    assert rows["damaged_features"].shape[:2] == rows["family"].shape == (10, 4)
    change = np.abs(rows["damaged_features"] - np.asarray(rows["features"])).max(axis=-1)
    damage = np.asarray(rows["damage"])[..., 0]
    assert np.all((damage.max(axis=(2, 3)) > 0) == (np.asarray(rows["family"]) > 0))
    assert change[damage > 0.5].mean() > 3 * change[damage == 0].mean()
    assert len(np.unique(damage.reshape(40, -1), axis=0)) > 30  # each copy has its own


def test_without_room_for_copies_there_are_features_alone(model, images):
    assert set(model.precompute(in_batches(images), 10, 2 * 10 * COPY - 1)) == {"features"}


def test_a_training_step_reads_what_was_computed(model, rows, images):
    names = {name: values[:, 1 % values.shape[1]] for name, values in rows.items()}
    batch = model.read_batch({"images": images, **names}, training=True)
    expected = model.view(images)
    np.testing.assert_allclose(batch.target, expected, rtol=1e-2, atol=2e-2)
    damaged = model.view.standardize(rows["damaged_features"][:, 1])
    np.testing.assert_array_equal(batch.inputs, damaged)
    # A cell near damage is neither good nor damaged, a far one is good.
    damage = np.asarray(rows["damage"][:, 1])
    np.testing.assert_array_equal(batch.mask[damage > 0], damage[damage > 0])
    assert batch.mask.shape == damage.shape


def test_the_same_pass_measures_what_adapt_measures(model, rows, images):
    adapted = FeatureExtractor(SHAPE)
    adapted.adapt(in_batches(images))
    assert model.view.is_adapted
    np.testing.assert_allclose(model.view.mean, adapted.view.mean, atol=1e-4)
    np.testing.assert_allclose(model.view.deviation, adapted.view.deviation, rtol=1e-4)


def test_models_that_see_pixels_have_nothing_to_compute(make_model, images):
    assert make_model().precompute(in_batches(images), 10, 2**30) is None
