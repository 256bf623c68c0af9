"""What is special about the mixture of patches."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture as Mixture
from small_baselines import SHAPE, draw_images

from kerasad import InputError
from kerasad.baselines.gaussian_mixture import PatchSample
from kerasad.baselines.mixture_density import MixtureDensity, principal_components

OPTIONS = {"patch_size": 3, "components": 4, "mixtures": 3, "levels": 2}


@pytest.fixture(scope="module")
def fitted(make):
    model = make("gaussian_mixture", **OPTIONS)
    model.adapt(draw_images(8))
    return model


def test_the_density_is_that_of_scikit_learn():
    generator = np.random.default_rng(0)
    patches = generator.normal(size=(400, 9)) @ generator.normal(size=(9, 9))
    projection, offset = principal_components(patches, 4)
    mixture = Mixture(3, random_state=0).fit(patches @ projection + offset)
    density = MixtureDensity(3, 4, 3)
    density.build()
    density.kernel.assign(projection.reshape(3, 3, 1, 4))
    density.bias.assign(offset)
    density.take(mixture)
    grey = generator.normal(size=(2, 7, 8, 1)).astype("float32")
    found = np.asarray(density(grey))[:, 1:-1, 1:-1, 0]
    windows = np.lib.stride_tricks.sliding_window_view(grey[..., 0], (3, 3), axis=(1, 2))
    features = windows.reshape(-1, 9) @ projection + offset
    expected = mixture.score_samples(features).reshape(found.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_features_of_good_patches_are_white():
    patches = np.random.default_rng(1).normal(size=(300, 9)) * np.arange(1, 10)
    projection, offset = principal_components(patches, 4)
    features = patches @ projection + offset
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(np.cov(features, rowvar=False), np.eye(4), atol=1e-10)


def test_flat_images_have_a_density():
    patches = np.full((100, 9), 0.5)
    projection, offset = principal_components(patches, 4)
    assert np.isfinite(projection).all()
    assert np.isfinite(offset).all()


def test_what_good_images_lack_has_a_lower_density(fitted):
    image = draw_images(8)[:1].copy()
    clean = np.asarray(fitted.residual_map(image))[0, ..., 0]
    image[0, 6:9, 6:9] = [[[1.0], [0.0], [1.0]]] * 3
    marked = np.asarray(fitted.residual_map(image))[0, ..., 0]
    assert marked[6:9, 6:9].min() > clean.max()


def test_the_map_is_the_sum_of_all_levels(fitted, images):
    fine, coarse = (np.asarray(level) for level in fitted(images))
    assert fine.shape == (len(images), *SHAPE[:2], 1)
    assert coarse.shape == (len(images), SHAPE[0] // 2, SHAPE[1] // 2, 1)
    total = np.asarray(fitted.residual_map(images))
    # A cell of the coarse level is the mean of the 2 x 2 pixels that it is interpolated to, inside.
    added = -(total + fine)[:, 2:-2, 2:-2, 0].mean()
    assert added == pytest.approx(coarse[:, 1:-1, 1:-1].mean(), rel=0.05)


def test_padding_and_borders_are_no_patches():
    grey = np.arange(2 * 5 * 6, dtype="float32").reshape(2, 5, 6)
    weights = np.ones_like(grey)
    weights[1, :, 3:] = 0
    sample = PatchSample(3, 100, np.random.default_rng(0))
    sample.update(grey, weights)
    assert len(sample.patches) == 3 * 4 + 3 * 1
    assert set(sample.patches.ravel()) <= set(grey[weights > 0])


def test_a_sample_draws_from_all_batches_alike():
    sample = PatchSample(1, 400, np.random.default_rng(0))
    for number in range(4):
        sample.update(np.full((1, 20, 20), number, "float32"), np.ones((1, 20, 20)))
    counts = np.bincount(sample.patches.ravel().astype(int), minlength=4)
    assert counts.sum() == 400
    assert counts.min() > 60


def test_too_few_patches_are_refused(make):
    model = make("gaussian_mixture", patch_size=7, components=40)
    valid = np.zeros((1, *SHAPE[:2], 1), "float32")
    valid[:, :9, :9] = 1.0
    inputs = {"images": draw_images(1), "valid": valid}
    with pytest.raises(InputError, match="at one level of the pyramid, and the mixture needs 80"):
        model.adapt(inputs)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"patch_size": 4}, "must be odd"), ({"patch_size": 3, "components": 10}, "at most the 9")],
)
def test_arguments_that_make_no_patch_are_refused(make, options, message):
    with pytest.raises(InputError, match=message):
        make("gaussian_mixture", **options)
