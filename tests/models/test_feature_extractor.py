import keras
import numpy as np
import pytest

import kerasad
from kerasad.errors import InputError
from kerasad.models import FeatureExtractor

SHAPE = (32, 48, 3)


@pytest.fixture(scope="module")
def extractor():
    return FeatureExtractor(SHAPE)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((4, *SHAPE), "float32")


def test_its_tensors_are_the_features_at_each_tap(extractor, images):
    tensors = extractor.tensors(images)
    shapes = {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()}
    assert extractor.cell_grid == (4, 6)
    assert shapes == {
        "features": (4, 6, 176),
        "features_1": (4, 6, 24),
        "features_2": (4, 6, 40),
        "features_3": (4, 6, 112),
        "tap_1": (8, 12, 24),
        "tap_2": (4, 6, 40),
        "tap_3": (2, 3, 112),
    }
    np.testing.assert_array_equal(extractor(images), tensors["features"])


def test_it_has_nothing_to_train_and_no_picture(extractor, images):
    assert extractor.trainable_variables == extractor.trained_weights == []
    assert "attention_map" not in extractor.tensors(images)
    assert extractor.reconstruct(images) is None
    assert extractor.residual_map(images) is None


def test_adapt_standardizes_and_survives_saving(images, tmp_path):
    extractor = FeatureExtractor(SHAPE)
    extractor.adapt(images)
    features = np.asarray(extractor(images))
    np.testing.assert_allclose(features.mean(axis=(0, 1, 2)), 0.0, atol=0.01)
    assert np.median(features.std(axis=(0, 1, 2))) == pytest.approx(1.0, abs=0.05)
    extractor.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.get_config() == extractor.get_config()
    np.testing.assert_array_equal(loaded(images), features)


def test_what_can_be_read_only_once_is_refused(extractor, images):
    with pytest.raises(InputError, match="starts anew"):
        extractor.adapt(iter([images]))
    with pytest.raises(InputError, match="There is no image"):
        extractor.adapt([])


def test_its_features_are_those_of_the_trained_model_on_the_same_backbone(extractor, images):
    small = {"filters": 4, "latent_dim": 4, "embedding_dim": 8, "seed": 0}
    model = kerasad.FeatureVAEGAN(SHAPE, **small)
    theirs = model.tensors(images)
    for name, tensor in extractor.tensors(images).items():
        np.testing.assert_allclose(tensor, theirs[name], atol=1e-5)
