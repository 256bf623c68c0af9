import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import InputError
from kerasad.layers.score_histogram import (
    FREE_SLOT,
    ScoreHistogram,
    bin_to_score,
    key_to_bin,
    key_to_score,
    score_to_key,
)

ASCENDING = np.array(
    [-np.inf, -3.4e38, -1.5, -1.0, -1e-45, 0.0, 1e-45, 1.0, 1.0000001, 3.4e38, np.inf], "float32"
)
SMALL = 4096


def random_scores(count, seed=0):
    """Normal numbers: nearly all different, so that a small histogram must widen its bins."""
    return np.random.default_rng(seed).normal(size=count).astype("float32")


def contents(histogram):
    return [np.asarray(variable) for variable in histogram.variables]


def test_keys_grow_with_the_scores():
    assert np.all(np.diff(np.asarray(score_to_key(ASCENDING)).astype("int64")) > 0)


def test_keys_keep_all_bits_of_the_scores():
    scores = np.concatenate([ASCENDING, random_scores(1000)])
    np.testing.assert_array_equal(np.asarray(key_to_score(score_to_key(scores))), scores)


def test_minus_zero_has_the_key_of_zero():
    assert np.asarray(score_to_key([-0.0, 0.0])).tolist() == [0, 0]


def test_every_nan_has_one_key_above_infinity_and_below_the_free_slots():
    keys = np.asarray(score_to_key(np.array([np.inf, np.nan, -np.nan], "float32")))
    assert keys[0] < keys[1] == keys[2] < FREE_SLOT


@pytest.mark.parametrize("shift", [0, 3, 14])
def test_a_bin_is_named_by_the_largest_score_in_it(shift):
    scores = np.concatenate([random_scores(1000), [0.0, np.inf, -np.inf]]).astype("float32")
    bins = key_to_bin(score_to_key(scores), shift)
    largest = np.asarray(bin_to_score(bins, shift))
    assert np.all(largest >= scores)
    np.testing.assert_array_equal(key_to_bin(score_to_key(largest), shift), bins)
    finite = np.isfinite(scores)
    beyond = key_to_bin(score_to_key(np.nextafter(largest[finite], np.float32(np.inf))), shift)
    assert np.all(np.asarray(beyond) > np.asarray(bins)[finite])


def test_counts_by_hand():
    histogram = ScoreHistogram(channels=2)
    histogram.update([3.0, -1.0, 3.0, -0.0, 0.0], [[1, 0], [0, 2], [0, 1], [1, 0], [1, 0]])
    np.testing.assert_array_equal(np.asarray(histogram.scores())[:4], [-1.0, 0.0, 3.0, np.nan])
    np.testing.assert_array_equal(histogram.counts[:4], [[0, 2], [2, 0], [1, 1], [0, 0]])


@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.995, 1.0])
def test_quantile_is_exact_while_every_score_has_its_slot(q):
    scores = (1000.0 + 0.5 * np.random.default_rng(0).random(200_000)).astype("float32")
    histogram = ScoreHistogram()
    histogram.update(scores)
    assert float(histogram.quantile(q)) == np.quantile(scores, q, method="inverted_cdf")


@pytest.mark.parametrize("q", [0.01, 0.5, 0.995])
def test_quantile_of_wide_bins_never_has_more_above_it_than_asked(q):
    scores = random_scores(100_000)
    histogram = ScoreHistogram(capacity=SMALL)
    histogram.update(scores)
    quantile, exact = float(histogram.quantile(q)), np.quantile(scores, q, method="inverted_cdf")
    width = 2.0 ** (int(histogram.shift) - 23)
    assert int(histogram.shift) > 0
    assert exact <= quantile <= exact + abs(exact) * width
    assert np.mean(scores > quantile) <= 1.0 - q


def test_quantile_counts_weights_and_ignores_what_weighs_nothing():
    histogram = ScoreHistogram()
    histogram.update([5.0, 1.0, 2.0], [0.0, 3.0, 1.0])
    assert [float(histogram.quantile(q)) for q in (0.75, 0.76, 1.0)] == [1.0, 2.0, 2.0]


def test_quantile_of_nothing_is_nan():
    assert np.isnan(float(ScoreHistogram().quantile(0.5)))


def test_filled_in_pieces_equals_filled_at_once():
    scores = random_scores(20_000)
    whole, pieces = ScoreHistogram(capacity=SMALL), ScoreHistogram(capacity=SMALL)
    whole.update(scores)
    for piece in np.split(scores, [1, 500, 9000]):
        pieces.update(piece)
    assert int(whole.shift) > 0
    for one, other in zip(contents(whole), contents(pieces), strict=True):
        np.testing.assert_array_equal(one, other)


def test_merged_histograms_equal_one():
    scores = random_scores(20_000)
    whole, left, right = (ScoreHistogram(capacity=SMALL) for _ in range(3))
    whole.update(scores)
    left.update(scores[:300])
    right.update(scores[300:])
    left.merge(right)
    for one, other in zip(contents(whole), contents(left), strict=True):
        np.testing.assert_array_equal(one, other)


def test_reset_forgets_counts_and_width():
    histogram, fresh = ScoreHistogram(capacity=SMALL), ScoreHistogram(capacity=SMALL)
    histogram.update(random_scores(20_000))
    histogram.reset()
    for one, other in zip(contents(histogram), contents(fresh), strict=True):
        np.testing.assert_array_equal(one, other)


def test_infinities_and_nan_keep_their_own_bins_however_wide():
    everything = np.random.default_rng(0).integers(-(2**31), 2**31, 500_000, dtype="int32")
    scores = everything.view("float32")
    histogram = ScoreHistogram(capacity=SMALL)
    histogram.update(scores[np.isfinite(scores)])
    histogram.update([np.inf, -np.inf, np.inf])
    assert not bool(histogram.has_nan())
    named, counts = np.asarray(histogram.scores()), np.asarray(histogram.counts)[:, 0]
    assert counts[named == np.inf] == 2
    assert np.isfinite(named[named < np.inf][1:]).all()
    histogram.update([np.nan])
    assert bool(histogram.has_nan())


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_update_counts_the_same(jit_compile):
    scores, weights = random_scores(20_000), np.ones((20_000, 2))
    eager, compiled = (ScoreHistogram(channels=2, capacity=SMALL) for _ in range(2))
    eager.update(scores, weights)
    tf.function(compiled.update, jit_compile=jit_compile)(scores, weights)
    for one, other in zip(contents(eager), contents(compiled), strict=True):
        np.testing.assert_array_equal(one, other)


def test_config_and_weights_restore_it_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        histogram = ScoreHistogram(channels=1, capacity=SMALL)
        histogram.update([1.0, 70000.0, 3.0])
        config = keras.saving.serialize_keras_object(histogram)
        copy = keras.saving.deserialize_keras_object(config)
        copy.set_weights(histogram.get_weights())
    finally:
        keras.config.set_dtype_policy("float32")
    assert (copy.channels, copy.capacity) == (1, SMALL)
    assert float(copy.quantile(1.0)) == 70000.0


def test_counts_stay_whole_where_float32_would_stop():
    histogram = ScoreHistogram()
    histogram.update([1.0], [2.0**24])
    histogram.update([1.0])
    assert float(histogram.counts[0, 0]) == 2**24 + 1


def test_errors_name_the_argument():
    with pytest.raises(InputError, match="`capacity` must be at least 4096, not 100"):
        ScoreHistogram(capacity=100)
    with pytest.raises(InputError, match="`q` must be between 0 and 1"):
        ScoreHistogram().quantile(1.5)
