import numpy as np
import pytest
import tensorflow as tf

from kerasad.detector.experts import FeatureResidual

TENSORS = {
    # Angles of 90 and 0 degrees at the first scale, 180 and 60 at the second.
    "features_1": [[[[1.0, 0.0], [2.0, 0.0]]]],
    "restored_features_1": [[[[0.0, 3.0], [5.0, 0.0]]]],
    "features_2": [[[[1.0, 1.0], [1.0, 0.0]]]],
    "restored_features_2": [[[[-1.0, -1.0], [1.0, 3.0**0.5]]]],
}


@pytest.mark.parametrize(
    ("scales", "expected"), [([1], [1.0, 0.0]), ([2], [2.0, 0.5]), ([1, 2], [1.5, 0.25])]
)
def test_the_map_is_the_mean_of_one_minus_the_cosine(scales, expected):
    tensors = {name: tf.constant(value) for name, value in TENSORS.items()}
    expert = FeatureResidual(scales)
    assert set(expert.requires) <= set(tensors)
    result = np.asarray(expert({name: tensors[name] for name in expert.requires}))
    np.testing.assert_allclose(result[0, 0, :, 0], expected, atol=1e-6)


def test_scales_are_those_that_the_model_restores():
    shapes = {name: (None, 1, 2, 2) for name in TENSORS}
    assert FeatureResidual.scales_of(shapes) == [1, 2]
    assert FeatureResidual([1, 2]).available(shapes)
    assert not FeatureResidual([1, 2, 3]).available(shapes)
    assert FeatureResidual.scales_of({"features": (None, 1, 2, 2)}) == []


def test_scales_are_saved():
    config = FeatureResidual([2, 3], name="mine").get_config()
    assert FeatureResidual.from_config(config).get_config() == config
    assert config["scales"] == [2, 3]
