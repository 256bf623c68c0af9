import numpy as np
import pytest
from scipy import ndimage

from kerasad.inspector.answering import find_peak_region
from kerasad.marking import peak_region


@pytest.mark.parametrize("smoothing", [0, 1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_the_region_around_the_peak_is_that_of_predict(seed, smoothing):
    noise = np.random.default_rng(seed).normal(size=(24, 31))
    anomaly_map = ndimage.gaussian_filter(noise, smoothing).astype("float32")
    np.testing.assert_array_equal(find_peak_region(anomaly_map), peak_region(anomaly_map))


def test_a_map_of_one_value_is_one_region():
    assert find_peak_region(np.full((4, 5), 2.0, "float32")).all()
