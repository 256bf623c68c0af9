import numpy as np
import pytest
import tensorflow as tf

from kerasad.detector.experts import DiscriminatorResidual

NAMES = DiscriminatorResidual.requires


def make_tensors(difference):
    base = np.random.default_rng(9).normal(size=difference.shape).astype("float32")
    return {NAMES[0]: tf.constant(base + difference), NAMES[1]: tf.constant(base)}


def adapt(differences, weights=None, expert=None):
    expert = expert or DiscriminatorResidual()
    if not expert.built:
        expert.build({name: (None, *differences[0].shape[1:]) for name in NAMES})
    expert.start(0)
    for index, difference in enumerate(differences):
        mask = np.ones(difference.shape[:3]) if weights is None else weights[index]
        expert.update(make_tensors(difference), lambda grid, m=mask: tf.constant(m, "float32"), 0)
    expert.finish(0)
    return expert


def test_each_channel_is_divided_by_its_size_on_good_images():
    # Mean squares of the good differences: 4 and 100.
    good = np.array([[[[1.0, 14.0]]], [[[-(7**0.5), 2.0]]]], "float32")
    expert = adapt([good])
    asked = np.array([[[[2.0, 0.0]]], [[[0.0, 10.0]]], [[[-2.0, 10.0]]]], "float32")
    result = np.asarray(expert(make_tensors(asked)))
    assert result.shape == (3, 1, 1, 1)
    expected = [0.5**0.5, 0.5**0.5, 1.0]
    np.testing.assert_allclose(result.ravel(), expected, rtol=0.01)  # the floor is a thousandth


def test_good_cells_are_about_1_on_average():
    difference = np.random.default_rng(0).normal(size=(20, 3, 4, 5)) * [1, 3, 0.5, 3, 2]
    result = np.asarray(adapt([difference.astype("float32")])(make_tensors(difference)))
    assert np.mean(result**2) == pytest.approx(1.0, abs=0.02)


def test_batches_add_up():
    difference = np.random.default_rng(0).normal(size=(6, 3, 4, 2)).astype("float32")
    whole, parts = adapt([difference]), adapt([difference[:1], difference[1:4], difference[4:]])
    np.testing.assert_allclose(np.asarray(whole.squares), np.asarray(parts.squares), rtol=1e-5)
    assert float(whole.count) == float(parts.count) == 6 * 12


def test_padded_cells_leave_no_trace():
    difference = np.random.default_rng(0).normal(size=(4, 3, 4, 2)).astype("float32")
    weights = np.ones((4, 3, 4))
    weights[1, 1:], weights[2, :, 3] = 0, 0
    spoilt = np.where(weights[..., None] > 0, difference, 1e3).astype("float32")
    clean, other = (adapt([values], [weights]) for values in (difference, spoilt))
    np.testing.assert_allclose(np.asarray(other.squares), np.asarray(clean.squares), rtol=1e-5)
    assert float(other.count) == weights.sum()


def test_dead_channels_stay_finite():
    difference = np.zeros((2, 2, 2, 3), "float32")
    difference[..., 0] = np.random.default_rng(0).normal(size=(2, 2, 2))
    asked = difference + np.array([0, 1, 0], "float32")
    result = np.asarray(adapt([difference])(make_tensors(asked)))
    assert np.isfinite(result).all()
    silent = adapt([np.zeros((2, 2, 2, 3), "float32")])
    assert np.isfinite(np.asarray(silent(make_tensors(asked)))).all()


def test_adapting_again_forgets_what_was_learnt():
    first, second = np.random.default_rng(0).normal(size=(2, 3, 2, 2, 2)).astype("float32")
    expert = adapt([second], expert=adapt([first]))
    fresh = adapt([second])
    np.testing.assert_array_equal(np.asarray(expert.squares), np.asarray(fresh.squares))
    assert float(expert.count) == float(fresh.count)
