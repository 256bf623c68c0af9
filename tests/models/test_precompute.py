import numpy as np
import pytest
import tensorflow as tf

import kerasad
from kerasad.models import FeatureExtractor

SHAPE = (32, 32, 3)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((10, *SHAPE), "float32")


def in_batches(images):
    return tf.data.Dataset.from_tensor_slices(images).batch(4)


@pytest.fixture(scope="module")
def model():
    return kerasad.FeatureVAEGAN(SHAPE, filters=4, adacos="none", seed=0)


@pytest.fixture(scope="module")
def rows(model, images):
    return model.precompute(in_batches(images), 10, 2**30)


def test_what_does_not_fit_in_memory_is_not_computed(model):
    def fail():
        raise AssertionError("an image was read")
        yield

    size = 2 * 10 * 4 * 4 * 176  # bytes of 10 images
    assert model.precompute(fail(), 10, size - 1) is None


def test_each_image_has_a_row_of_its_own_features(model, rows, images):
    assert rows.dtype == tf.float16
    expected = model.view.raw_features(images)
    np.testing.assert_allclose(rows, expected, rtol=2e-3, atol=1e-3)


def test_the_same_pass_measures_what_adapt_measures(model, rows, images):
    adapted = FeatureExtractor(SHAPE)
    adapted.adapt(in_batches(images))
    assert model.view.is_adapted
    np.testing.assert_allclose(model.view.mean, adapted.view.mean, atol=1e-4)
    np.testing.assert_allclose(model.view.deviation, adapted.view.deviation, rtol=1e-4)


def test_models_that_see_pixels_have_nothing_to_compute(make_model, images):
    assert make_model().precompute(in_batches(images), 10, 2**30) is None
