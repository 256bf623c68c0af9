"""Bootstrap intervals of the benchmarks measure what the package measures."""

import numpy as np
import pytest

from kerasad.metrics import AUPRO, ImageAUROC, PixelAUROC


@pytest.fixture
def bootstrap(load):
    return load("bootstrap")


@pytest.fixture
def sets():
    """Scores, labels, maps and masks of 12 images, of which half carry a square."""
    generator = np.random.default_rng(3)
    labels = np.arange(12) % 2 == 1
    masks = np.zeros((12, 16, 20), bool)
    masks[labels, 3:7, 5:9] = True
    masks[1, 12:14, 15:18] = True
    maps = generator.normal(size=masks.shape) + 1.5 * masks
    return maps.max(axis=(1, 2)), labels, maps, masks


def test_without_a_draw_the_metrics_are_those_of_the_package(bootstrap, sets):
    scores, labels, maps, masks = sets
    found = bootstrap.measure(bootstrap.count_pixels(scores[:, None], labels, maps, masks))
    image, pixel, overlap = ImageAUROC(), PixelAUROC(), AUPRO()
    image.update_state(labels.astype("float32"), scores)
    pixel.update_state(masks[..., None].astype("float32"), maps[..., None])
    overlap.update_state(masks[..., None].astype("float32"), maps[..., None])
    expected = [float(metric.result()) for metric in (image, pixel, overlap)]
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_an_image_drawn_twice_counts_as_two_images(bootstrap, sets):
    drawn = np.ones(12)
    drawn[[0, 3]] = 2
    rows = np.repeat(np.arange(12), drawn.astype(int))
    twice = bootstrap.measure(bootstrap.count_pixels(*(values[rows] for values in sets)))
    np.testing.assert_allclose(
        bootstrap.measure(bootstrap.count_pixels(*sets), drawn), twice, atol=2e-3
    )


def test_a_draw_keeps_the_number_of_good_and_of_defective_images(bootstrap, sets):
    labels = sets[1]
    drawn = bootstrap.draw(labels, 50)
    assert (drawn[:, labels].sum(axis=1) == 6).all()
    assert (drawn[:, ~labels].sum(axis=1) == 6).all()
    assert len(np.unique(drawn, axis=0)) > 40


def test_a_model_equal_to_another_differs_by_nothing(bootstrap, sets):
    counts = bootstrap.count_pixels(*sets)
    assert not bootstrap.differences([counts], [counts], number=20).any()


def test_a_much_better_model_has_an_interval_above_zero(bootstrap, sets):
    scores, labels, maps, masks = sets
    better = bootstrap.count_pixels(scores + 9 * labels, labels, maps + 9 * masks, masks)
    found = bootstrap.differences([better], [bootstrap.count_pixels(*sets)], number=100)
    assert all(bootstrap.interval(found[1:, column])[0] > 0 for column in (1, 2))
