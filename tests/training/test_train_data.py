import numpy as np
import pytest
from PIL import Image

import kerasad
from kerasad.training.fitting import fit_folds, precompute, train_data


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(10):
        pixels = rng.integers(0, 255, (32, 32, 3), "uint8")
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.fixture(scope="module")
def model():
    """Without damaged copies, which would be computed as well."""
    return kerasad.FeatureVAEGAN((32, 32, 3), filters=4, adacos="none", corruption=0.0, seed=0)


def test_each_image_of_a_training_comes_with_its_own_features(folder, model):
    category = kerasad.data.load_category(folder, image_size="32x32", batch_size=4)
    seen = 0
    for inputs in train_data(model, category):
        expected = model.view.raw_features(inputs["images"])
        np.testing.assert_allclose(inputs["features"], expected, rtol=2e-3, atol=1e-3)
        seen += len(inputs["images"])
    assert seen == len(category.split.train)


@pytest.mark.parametrize("settings", [{"cache_megabytes": 0}, {"crop_size": "32x32"}])
def test_crops_and_a_budget_too_small_come_without_features(folder, model, settings):
    category = kerasad.data.load_category(folder, image_size="32x32", **settings)
    assert not isinstance(train_data(model, category).element_spec, dict)


def state_of(model):
    optimizers = (*model.optimizer.variables, *model.discriminator_optimizer.variables)
    return [np.asarray(variable).copy() for variable in (*model.trained_weights, *optimizers)]


@pytest.mark.slow
def test_networks_of_each_fold_are_those_of_a_training_without_it(folder, capsys):
    category = kerasad.data.load_category(
        folder, "32x32", batch_size=4, crosswise=True, trains=True
    )

    def new_model():
        model = kerasad.FeatureVAEGAN((32, 32, 3), filters=4, adacos="none", seed=0)
        model.compile()
        return model, precompute(model, category)

    model, precomputed = new_model()
    before = state_of(model)
    found = fit_folds(model, category, 2, precomputed, verbose=1)
    assert len(found) == 4
    shown = capsys.readouterr().out
    assert "training the networks that calibrate: 4 networks, " in shown
    for one, other in zip(before, state_of(model), strict=True):
        np.testing.assert_array_equal(one, other)
    alone, precomputed = new_model()
    alone.fit(
        category.train_from(0, precomputed, without_fold=3), epochs=2, shuffle=False, verbose=0
    )
    for one, other in zip(found[2], alone.trained_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    assert any(np.any(one != other) for one, other in zip(found[0], found[2], strict=True))
