import numpy as np
import pytest
from PIL import Image

import kerasad
from kerasad.models.feature_cache import cache_features


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(10):
        pixels = rng.integers(0, 255, (32, 32, 3), "uint8")
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


def make_model():
    return kerasad.VAEGAN((32, 32, 3), backbone="efficientnet_lite0", filters=4, seed=0)


def test_each_image_of_a_training_comes_with_its_own_features(folder):
    category = kerasad.data.load_category(folder, image_size="32x32", batch_size=4)
    model = make_model()
    features = cache_features(model, category)
    seen = 0
    for inputs in category.train_from(0, features):
        expected = model.view.raw_features(inputs["images"])
        np.testing.assert_allclose(inputs["features"], expected, rtol=2e-3, atol=1e-3)
        seen += len(inputs["images"])
    assert seen == len(category.split.train) == features.shape[0]


def test_the_same_pass_measures_what_adapt_measures(folder):
    category = kerasad.data.load_category(folder, image_size="32x32", batch_size=4)
    cached, adapted = make_model(), make_model()
    cache_features(cached, category)
    adapted.adapt(category.train)
    assert cached.view.is_adapted
    np.testing.assert_allclose(cached.view.mean, adapted.view.mean, atol=1e-4)
    np.testing.assert_allclose(cached.view.deviation, adapted.view.deviation, rtol=1e-4)


@pytest.mark.parametrize("settings", [{"cache_megabytes": 0}, {"crop_size": "32x32"}])
def test_crops_and_a_budget_too_small_have_no_cache(folder, settings):
    category = kerasad.data.load_category(folder, image_size="32x32", **settings)
    assert cache_features(make_model(), category) is None
