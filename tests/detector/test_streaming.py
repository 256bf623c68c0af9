import numpy as np
import tensorflow as tf

from kerasad.detector.streaming import iterate_inputs


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
    shown = capsys.readouterr().out
    assert shown.startswith("measuring scales\n")
    assert "3/3" in shown


def test_dataset_of_unknown_length_shows_progress_too(capsys):
    dataset = tf.data.Dataset.from_tensor_slices(np.arange(4)).filter(lambda x: x > 0).batch(2)
    assert len(list(iterate_inputs(dataset, verbose=1, title="scoring"))) == 2
    assert "scoring" in capsys.readouterr().out
    endless = (np.zeros(1) for _ in range(2))
    assert len(list(iterate_inputs(endless, verbose=1))) == 2
