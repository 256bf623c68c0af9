"""Small images, and the smallest model of each baseline."""

import pytest
from small_baselines import draw_images, make_baseline


@pytest.fixture(scope="session")
def images():
    """Six images, which no test may change."""
    return draw_images()


@pytest.fixture(scope="session")
def make():
    """The function that makes a small baseline by the name of its recipe."""
    return make_baseline
