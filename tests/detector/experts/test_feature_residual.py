import numpy as np
import pytest
import tensorflow as tf

from kerasad.detector.experts import FeatureResidual

# 1 - cos of 90 and 0 degrees at the first scale, 180 and 60 at the second.
ANGLES = [[[[1.0, 2.0], [0.0, 0.5]]]]


@pytest.mark.parametrize(
    ("scales", "expected"), [([1], [1.0, 0.0]), ([2], [2.0, 0.5]), ([1, 2], [1.5, 0.25])]
)
def test_the_map_is_the_mean_of_one_minus_the_cosine(scales, expected):
    expert = FeatureResidual(scales)
    assert expert.requires == ("restored_angles",)
    result = np.asarray(expert({"restored_angles": tf.constant(ANGLES)}))
    np.testing.assert_allclose(result[0, 0, :, 0], expected, atol=1e-6)


def test_scales_are_those_that_the_model_restores():
    shapes = {"restored_angles": (None, 1, 2, 2)}
    assert FeatureResidual.scales_of(shapes) == [1, 2]
    assert FeatureResidual([1, 2]).available(shapes)
    assert not FeatureResidual([1, 2, 3]).available(shapes)
    assert FeatureResidual.scales_of({"features": (None, 1, 2, 2)}) == []


def test_scales_are_saved():
    config = FeatureResidual([2, 3], name="mine").get_config()
    assert FeatureResidual.from_config(config).get_config() == config
    assert config["scales"] == [2, 3]
