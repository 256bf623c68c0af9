import numpy as np
import pytest

from kerasad.errors import InputError
from kerasad.synthetic.demo_defects import DEFECTS, draw_demo_defect


@pytest.fixture
def photograph():
    rng = np.random.default_rng(0)
    return rng.normal(120, 8, (96, 128)).clip(0, 255).astype("uint8")


@pytest.mark.parametrize("name", DEFECTS)
def test_the_mask_covers_all_changes_and_little_else(photograph, name):
    for seed in range(5):
        defective, mask = draw_demo_defect(name, photograph, np.random.default_rng(seed))
        assert defective.dtype == np.uint8
        assert mask.dtype == bool
        np.testing.assert_array_equal(defective[~mask], photograph[~mask])
        assert np.mean(defective[mask] != photograph[mask]) > 0.9
        assert 0.001 < mask.mean() < 0.2


@pytest.mark.parametrize("name", DEFECTS)
def test_defects_stand_out_of_their_surroundings(photograph, name):
    difference = []
    for seed in range(10):
        defective, mask = draw_demo_defect(name, photograph, np.random.default_rng(seed))
        change = np.abs(defective[mask].astype(float) - photograph[mask])
        difference.append(change.mean() / photograph.std())
    assert np.median(difference) > 3


@pytest.mark.parametrize("name", DEFECTS)
def test_shapes_differ_by_seed_and_repeat_with_it(photograph, name):
    first = draw_demo_defect(name, photograph, np.random.default_rng(1))
    same = draw_demo_defect(name, photograph, np.random.default_rng(1))
    np.testing.assert_array_equal(first[0], same[0])
    other = draw_demo_defect(name, photograph, np.random.default_rng(2))
    assert not np.array_equal(first[1], other[1])


def test_an_unknown_defect_is_named(photograph):
    with pytest.raises(InputError, match="'rust'"):
        draw_demo_defect("rust", photograph, np.random.default_rng(0))
