import keras
import numpy as np

from kerasad.models.sampled_cells import SampledCells, cells_at, touched_cells


def make_mask():
    """Of 4 x 5 cells three are defective in the first image, all in the second, one hardly."""
    mask = np.zeros((3, 4, 5, 1), "float32")
    mask[0, 1, 1:4] = 0.5
    mask[1] = 1.0
    mask[2, 0, 0] = 0.2
    return mask


def test_damaged_cells_come_first_and_none_comes_twice():
    places = np.asarray(SampledCells(count=8, seed=0)(make_mask()))
    assert places.shape == (3, 8)
    assert {6, 7, 8} <= set(places[0])
    assert all(len(set(row)) == 8 for row in places)


def test_of_many_damaged_cells_half_of_the_places_are_taken():
    mask = make_mask()
    mask[1, 2:] = 0.0
    for seed in range(3):
        places = np.asarray(SampledCells(count=8, seed=seed)(mask))[1]
        assert np.count_nonzero(places < 10) == 4


def test_a_small_grid_is_taken_as_a_whole():
    places = np.asarray(SampledCells(count=99)(make_mask()))
    np.testing.assert_array_equal(np.sort(places), np.tile(np.arange(20), (3, 1)))


def test_cells_are_those_of_the_places():
    values = np.arange(2 * 3 * 4 * 2).reshape(2, 3, 4, 2)
    found = np.asarray(cells_at(values, np.array([[5, 0], [11, 2]])))
    np.testing.assert_array_equal(
        found[:, :, 0], [[values[0, 1, 1], values[0, 0, 0]], [values[1, 2, 3], values[1, 0, 2]]]
    )


def test_cells_that_see_a_defect_are_touched_but_not_defective():
    mask = np.zeros((1, 6, 7, 1), "float32")
    mask[0, 0, 0] = 0.5
    touched = np.asarray(touched_cells(mask))[0, ..., 0]
    assert touched[0, 0] == 0.5
    assert np.count_nonzero(touched) == 9
    assert 0 < touched[2, 2] < 0.01
    assert touched[3, 0] == 0


def test_a_saved_draw_goes_on_where_it_was():
    layer = SampledCells(count=4, seed=1)
    layer(make_mask())
    store = {}
    layer.save_own_variables(store)
    again = SampledCells.from_config(layer.get_config())
    again.load_own_variables(store)
    np.testing.assert_array_equal(again(make_mask()), layer(make_mask()))
    assert isinstance(again, keras.layers.Layer)
