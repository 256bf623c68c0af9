import numpy as np
import pytest

from kerasad.detector.experts import LatentKL


def test_divergence_is_summed_over_the_code_of_each_cell():
    z_mean = np.array([[[[1.0, 0.0], [0.0, 0.0]]]], "float32")
    z_log_var = np.array([[[[0.0, np.log(2.0)], [0.0, 0.0]]]], "float32")
    result = np.asarray(LatentKL()({"z_mean": z_mean, "z_log_var": z_log_var}))
    # 1/2 (1 + 1 - 1 - 0) + 1/2 (0 + 2 - 1 - log 2)
    expected = [[[[0.5 + 0.5 * (1 - np.log(2.0))], [0.0]]]]
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_divergence_is_never_negative():
    generator = np.random.default_rng(0)
    tensors = {
        name: generator.normal(0, 3, size=(2, 3, 4, 5)).astype("float32")
        for name in LatentKL.requires
    }
    assert (np.asarray(LatentKL()(tensors)) >= 0).all()


@pytest.mark.parametrize(("shape", "served"), [((None, 4, 4, 8), True), ((None, 8), False)])
def test_only_a_code_with_cells_makes_a_map(shape, served):
    assert LatentKL().available({"z_mean": shape, "z_log_var": shape}) is served
