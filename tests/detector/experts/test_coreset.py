import numpy as np
import pytest
from scipy.spatial.distance import cdist

from kerasad.detector.experts.coreset import CellReservoir, greedy_k_center
from kerasad.errors import InputError


def sample(cells, capacity, batch, seed=0):
    reservoir = CellReservoir(capacity, seed)
    for first in range(0, len(cells), batch):
        reservoir.add(cells[first : first + batch])
    return reservoir.sample()


def numbered(count):
    """Cells whose two channels tell which one it is."""
    return np.stack([np.arange(count), -np.arange(count)], axis=1).astype("float32")


@pytest.mark.parametrize("batch", [1, 7, 10, 64, 500])
def test_sample_does_not_depend_on_the_batches(batch):
    cells = numbered(300)
    np.testing.assert_array_equal(sample(cells, 10, batch), sample(cells, 10, 300))


def test_sample_has_different_cells_of_the_stream_whole():
    kept = sample(numbered(300), 40, batch=9)
    np.testing.assert_array_equal(kept[:, 0], -kept[:, 1])
    assert len(np.unique(kept[:, 0])) == 40
    assert kept.dtype == "float32"


def test_every_cell_of_the_stream_is_equally_likely_to_stay():
    count, capacity, draws = 30, 6, 2000
    stays = np.zeros(count)
    firsts = np.zeros(count)
    for seed in range(draws):
        kept = sample(numbered(count), capacity, batch=4, seed=seed)[:, 0].astype(int)
        stays[kept] += 1
        firsts[kept[0]] += 1
    # Five standard deviations of a binomial count.
    for counts, share in ((stays, capacity / count), (firsts, 1 / count)):
        spread = np.sqrt(draws * share * (1 - share))
        assert np.abs(counts - draws * share).max() < 5 * spread


def test_short_stream_is_kept_whole():
    kept = sample(numbered(5), 8, batch=2)
    np.testing.assert_array_equal(np.sort(kept[:, 0]), np.arange(5))
    assert CellReservoir(3).sample().shape == (0, 0)


def test_memory_does_not_grow_with_the_stream():
    reservoir = CellReservoir(16)
    for _ in range(50):
        reservoir.add(np.zeros((100, 3), "float32"))
        assert reservoir._cells.shape == (16, 3)


def test_reservoir_of_nothing_is_refused():
    with pytest.raises(InputError, match="`capacity` must be at least 1"):
        CellReservoir(0)


def test_farthest_points_are_chosen_one_by_one():
    points = np.array([[0, 0], [1, 0], [10, 0], [0, 4], [9, 1], [5, 0.5]], "float32")
    # From (0, 0) the farthest is (10, 0); then (5, .5) is 5.02 from both; then (0, 4) is 4 away;
    # (9, 1) is 1.41 from (10, 0), (1, 0) is 1 from (0, 0).
    assert greedy_k_center(points, 6).tolist() == [0, 2, 5, 3, 4, 1]
    assert greedy_k_center(points, 3).tolist() == [0, 2, 5]


def test_radius_is_at_most_twice_that_of_any_choice():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(200, 3)).astype("float32")
    chosen = greedy_k_center(points, 8)
    radius = cdist(points, points[chosen]).min(axis=1).max()
    others = (generator.choice(200, 8, replace=False) for _ in range(200))
    best = min(cdist(points, points[other]).min(axis=1).max() for other in others)
    assert radius <= 2 * best
    assert radius < best  # in truth it is much better than chance


def test_repeated_points_are_chosen_once():
    points = np.repeat(np.array([[3.0, 1.0], [9.0, 7.0], [3.0, 2.0]]), 5, axis=0) + 1000.0
    assert sorted(greedy_k_center(points, 10).tolist()) == [0, 5, 10]
    assert greedy_k_center(np.empty((0, 4)), 3).tolist() == []


def test_a_sample_is_displaced_by_other_cells_in_proportion_to_the_streams():
    kept = []
    for seed in range(200):
        former = CellReservoir(100, (seed, 1))
        former.begin_with(numbered(100), 300)
        further = CellReservoir(100, seed)
        further.add(numbered(100) + 1000)
        former.merge([further])
        assert former.seen == 400
        kept.append((former.sample()[:, 0] < 1000).sum())
    # Hypergeometric: 100 of 400, of which 300 are former; deviation 3.75.
    assert np.mean(kept) == pytest.approx(75, abs=1.0)
    assert 3.0 < np.std(kept) < 4.6


def test_a_stream_that_was_kept_whole_is_whole_again():
    former = CellReservoir(50)
    former.begin_with(numbered(20), 20)
    further = CellReservoir(50, 1)
    further.add(numbered(30) + 1000)
    further.change(lambda cells: cells + 1)
    former.merge([further])
    expected = [*numbered(20)[:, 0], *(numbered(30)[:, 0] + 1001)]
    assert sorted(former.sample()[:, 0]) == sorted(expected)
