import numpy as np
import tensorflow as tf

from kerasad.detector.frames import iterate_inputs, to_grid
from kerasad.layers.content_grid import enlarge_maps

MAPS = tf.constant([[[[1.0], [3.0]], [[5.0], [11.0]]]])


def test_a_finer_map_is_averaged_in_each_cell():
    np.testing.assert_allclose(to_grid(MAPS, (1, 1)), [[[[5.0]]]])
    np.testing.assert_allclose(to_grid(MAPS, (2, 1)), [[[[2.0]], [[8.0]]]])


def test_a_coarser_map_is_enlarged_as_maps_of_images_are():
    np.testing.assert_allclose(to_grid(MAPS, (4, 6)), enlarge_maps(MAPS, (4, 6)))


def test_a_map_of_the_right_size_stays():
    assert to_grid(MAPS, (2, 2)) is MAPS


def test_coarse_cells_that_reach_beyond_the_grid_stay_where_they_are():
    # Three cells of two for a grid of five: the middle one is at 2.5, not at 2.
    maps = tf.constant([[[[0.0], [1.0], [0.0]]]])
    row = np.asarray(to_grid(maps, (1, 5)))[0, 0, :, 0]
    np.testing.assert_allclose(row[2], row[3], rtol=1e-5)
    np.testing.assert_allclose(row[1], row[4], rtol=1e-5)


def test_places_of_no_whole_number_of_cells_become_as_many_as_there_are_cells():
    ramp = tf.reshape(tf.range(37.0), (1, 1, 37, 1))
    row = np.asarray(to_grid(ramp, (1, 35)))[0, 0, :, 0]
    assert row.shape == (35,)
    # The middle of cell k is at (k + 1/2) 37 / 35 places.
    np.testing.assert_allclose(row[1:-1], (np.arange(1, 34) + 0.5) * 37 / 35 - 0.5, atol=0.05)


def test_elements_without_targets_come_with_none():
    images = np.arange(4.0)
    pairs = list(iterate_inputs(tf.data.Dataset.from_tensor_slices(images).batch(3)))
    assert [inputs.numpy().tolist() for inputs, _ in pairs] == [[0.0, 1.0, 2.0], [3.0]]
    assert [targets for _, targets in pairs] == [None, None]


def test_targets_are_the_second_element_and_weights_are_left_out():
    batches = [("images", "targets"), ("images", "targets", "weights"), ("images",)]
    assert list(iterate_inputs(batches)) == [
        ("images", "targets"),
        ("images", "targets"),
        ("images", None),
    ]


def test_padded_inputs_stay_a_dict():
    batch = {"images": np.zeros((1, 2, 2, 3)), "valid": np.ones((1, 2, 2, 1))}
    ((inputs, targets),) = iterate_inputs([batch])
    assert inputs is batch
    assert targets is None


def test_progress_is_shown_if_asked_and_only_then(capsys):
    batches = [np.zeros(2), np.zeros(2), np.zeros(1)]
    assert len(list(iterate_inputs(batches))) == 3
    assert capsys.readouterr().out == ""
    assert len(list(iterate_inputs(batches, verbose=1, title="measuring scales"))) == 3
    assert capsys.readouterr().out == "measuring scales: 3 batches, 0 s\n"


def test_dataset_of_unknown_length_shows_progress_too(capsys):
    dataset = tf.data.Dataset.from_tensor_slices(np.arange(4)).filter(lambda x: x > 0).batch(2)
    assert len(list(iterate_inputs(dataset, verbose=1, title="scoring"))) == 2
    assert "scoring: 2 batches, " in capsys.readouterr().out
    endless = (np.zeros(1) for _ in range(2))
    assert len(list(iterate_inputs(endless, verbose=1))) == 2
