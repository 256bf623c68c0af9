import numpy as np
import pytest

from kerasad.errors import InputError
from kerasad.losses import FeatureReconstructionLoss, cosine_distance, scale_angles, scale_slices


def test_loss_is_squared_error_plus_the_mean_angle_of_the_scales_by_hand():
    true = np.array([1.0, 0.0, 2.0], "float32").reshape(1, 1, 1, 3)
    made = np.array([0.0, 1.0, 1.0], "float32").reshape(1, 1, 1, 3)
    # Squares (1 + 1 + 1) / 3; scale 1 is turned by a right angle, scale 2 not at all.
    loss = FeatureReconstructionLoss([2, 1]).call(true, made)
    np.testing.assert_allclose(loss, [1.0 + (1.0 + 0.0) / 2], rtol=1e-6)


def test_cells_of_weight_0_are_left_out_by_hand():
    true = np.array([[[1.0, 0.0], [5.0, 5.0]]], "float32")[None]
    made = np.array([[[0.0, 1.0], [9.0, -9.0]]], "float32")[None]
    weights = np.array([[[1.0], [0.0]]], "float32")[None]
    loss = FeatureReconstructionLoss([2]).call(true, made, weights)
    np.testing.assert_allclose(loss, [(1.0 + 1.0) / 2 + 1.0], rtol=1e-6)


def test_cosine_distance_ignores_the_size_of_features():
    features = np.random.default_rng(0).normal(size=(2, 3, 3, 5)).astype("float32")
    np.testing.assert_allclose(cosine_distance(features, 3.0 * features), 0.0, atol=1e-6)
    np.testing.assert_allclose(cosine_distance(features, -features), 2.0, atol=1e-6)


def test_the_angles_of_scales_are_those_of_each_alone():
    generator = np.random.default_rng(1)
    features, restored = generator.normal(size=(2, 2, 3, 4, 7)).astype("float32")
    scales = [1, 4, 2]
    parts = [cosine_distance(features[..., s], restored[..., s]) for s in scale_slices(scales)]
    angles = scale_angles(features, restored, scales)
    np.testing.assert_allclose(angles, np.concatenate(parts, axis=-1), atol=1e-6)


def test_a_loss_without_scales_is_refused():
    with pytest.raises(InputError, match="`scales`"):
        FeatureReconstructionLoss([])
