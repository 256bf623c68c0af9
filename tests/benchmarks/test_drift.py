from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture
def drift(load):
    return load("drift")


def test_a_change_is_found_by_the_test_that_can_see_it(drift):
    generator = np.random.default_rng(0)
    pool = generator.normal(size=40), generator.normal(size=(40, 5))
    arguments = SimpleNamespace(seed=0, repeats=20, level=0.05)
    unchanged = drift.find_rates(pool, pool, 12, arguments)
    assert unchanged[0] <= 0.25
    moved = drift.find_rates(pool, (pool[0], pool[1] + 3.0), 12, arguments)
    assert moved[0] == moved[2] == 1.0
    assert moved[1] <= 0.25


def test_every_change_but_none_changes_images(drift):
    images = np.random.default_rng(0).uniform(0, 1, (2, 16, 24, 3)).astype("float32")
    for name, change in drift.changes(images).items():
        changed = change(images)
        assert changed.shape == images.shape
        assert 0 <= changed.min() <= changed.max() <= 1
        assert (name == "none") == np.array_equal(changed, images)
