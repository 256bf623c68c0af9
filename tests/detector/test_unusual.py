"""The most unusual good images, and which of them stand out."""

import numpy as np
import pytest

from kerasad import AnomalyDetector
from kerasad.detector.experts import CellGaussian, CellMemory
from kerasad.detector.unusual import LeftOutScores, most_unusual, standing_out

SHAPE = (32, 48, 3)
PLANTED = (3, 41, 97)


@pytest.fixture(scope="module")
def left_out(make_model, good_images):
    """Scores of 100 images, three of which have a spot."""
    images = good_images(100, *SHAPE[:2])
    for number in PLANTED:
        top, left = number % 20, number % 30
        images[number, top : top + 10, left : left + 10] += [0.3, -0.2, 0.1]
    experts = [CellGaussian("features", name="gaussian"), CellMemory("features", name="memory")]
    detector = AnomalyDetector(make_model(SHAPE, trainable=False), experts)
    return detector.adapt_crosswise(images, verbose=0)


def test_three_defects_among_100_good_images_are_the_most_unusual(left_out):
    order = most_unusual(left_out.scores)
    assert len(order) == 5
    assert set(order[:3]) == set(PLANTED)


def test_their_maps_are_kept_and_show_the_place(left_out):
    assert list(left_out.maps) == most_unusual(left_out.scores)
    for number in PLANTED:
        anomaly_map = left_out.maps[number]
        assert anomaly_map.shape == (*SHAPE[:2], 1)
        row, column, _ = np.unravel_index(anomaly_map.argmax(), anomaly_map.shape)
        assert abs(row - number % 20 - 4.5) <= 6
        assert abs(column - number % 30 - 4.5) <= 6


def test_the_p_value_is_the_share_of_scores_as_high_by_hand():
    found = LeftOutScores(np.float32([1, 4, 2, 2]), {})
    assert [found.p_value(position) for position in range(4)] == [1.0, 0.25, 0.75, 0.75]
    assert most_unusual(found.scores, 3) == [1, 2, 3]


@pytest.mark.parametrize("count", [10, 30, 200])
def test_in_5_percent_of_samples_without_a_defect_one_stands_out(count):
    rng = np.random.default_rng(count)
    found = [standing_out(rng.gumbel(3.0, 2.0, count)).any() for _ in range(1000)]
    assert 0.02 < np.mean(found) < 0.08


def test_equal_scores_and_few_scores_stand_out_from_nothing():
    assert not standing_out(np.full(50, 2.0)).any()
    assert not standing_out(np.full(50, 2.0) + np.float32(1e-6) * np.arange(50)).any()
    assert not standing_out(np.array([1.0] * 8 + [100.0])).any()
    assert standing_out(np.array([1.0] * 49 + [100.0])).tolist() == [False] * 49 + [True]
