"""The split-conformal rule: by hand, as an exact law, and as a layer's state."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from kerasad import InputError
from kerasad.detector import ConformalDecision, conformal_rule
from kerasad.detector.conformal import conformal_rules

RATES = (0.01, 0.05, 0.1, 0.29, 1 / 3, 0.5, 0.9)


def make_decision(scores, capacity=64, rate=0.5, review_rate=None):
    decision = ConformalDecision(capacity)
    decision.build()
    if len(scores):
        decision.calibrate(np.asarray(scores, "float32"), rate, review_rate)
    return decision


def decide(decision, scores):
    outputs = decision(tf.constant(scores, "float32"))
    return {name: np.asarray(value) for name, value in outputs.items()}


# The rule ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "rank", "threshold"), [(0.1, 1, 9.0), (0.2, 2, 7.5), (0.39, 3, 4.0), (0.9, 9, -1.0)]
)
def test_threshold_is_the_mth_largest_of_nine_scores(rate, rank, threshold):
    scores = [3.0, -1.0, 7.5, 0.0, 9.0, 1.5, 4.0, 2.0, 0.25]
    rule = conformal_rule(scores, rate)
    assert rule.threshold == threshold
    assert rule.guaranteed == rank / 10
    assert rule.requested == rate
    assert rule.num_images == 9
    assert rule.note is None


def test_interval_is_that_of_the_beta_law():
    rule = conformal_rule(np.arange(99.0), 0.05)
    np.testing.assert_allclose(rule.interval_95, stats.beta(5, 95).interval(0.95), rtol=1e-12)
    assert rule.interval_95[0] < rule.guaranteed < rule.interval_95[1]


def test_product_of_rate_and_images_is_not_lost_to_rounding():
    assert 0.29 * 100 < 29  # what makes this worth a test
    assert conformal_rule(np.arange(99.0), 0.29).guaranteed == 0.29


def test_too_few_images_use_the_largest_score_and_say_so():
    rule = conformal_rule(np.arange(20.0), 0.01)
    assert rule.threshold == 19.0
    assert rule.guaranteed == 1 / 21
    assert rule.requested == 0.01
    assert rule.note == "20 calibration images guarantee 4.8%; 1% needs 99."


def test_one_image_guarantees_a_half():
    rule = conformal_rule([2.5], 0.05)
    assert (rule.threshold, rule.guaranteed) == (2.5, 0.5)
    assert rule.note == "1 calibration image guarantees 50.0%; 5% needs 19."


@pytest.mark.parametrize("rate", RATES)
def test_the_number_that_the_note_names_is_just_enough(rate):
    for count in range(1, 120):
        rule = conformal_rule(np.arange(float(count)), rate)
        if rule.note is not None:
            needed = int(rule.note.split()[-1].rstrip("."))
            assert count < needed
            assert conformal_rule(np.arange(float(needed)), rate).note is None
            assert conformal_rule(np.arange(needed - 1.0), rate).note is not None


def test_strict_makes_too_few_images_an_error():
    with pytest.raises(InputError, match=r"20 calibration images guarantee 4.8%; 1% needs 99"):
        conformal_rule(np.arange(20.0), 0.01, strict=True)
    assert conformal_rule(np.arange(99.0), 0.01, strict=True).guaranteed == 0.01


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_rate_outside_0_to_1_names_the_argument(rate):
    with pytest.raises(InputError, match="`false_alarm_rate` must be above 0 and below 1"):
        conformal_rule([1.0, 2.0], rate)


def test_rate_just_below_1_uses_the_smallest_score():
    rule = conformal_rule([3.0, 1.0, 2.0], 1 - 1e-15)
    assert (rule.threshold, rule.guaranteed) == (1.0, 0.75)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_score_that_is_not_finite_is_refused(bad):
    with pytest.raises(InputError, match="not finite"):
        conformal_rule([1.0, bad, 2.0], 0.5)


def test_no_scores_are_refused():
    with pytest.raises(InputError, match="no calibration image"):
        conformal_rule([])


# The guarantee -------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("count", [20, 40, 99])
def test_rates_of_500_calibrations_follow_the_beta_law(count, rate):
    """Of uniform scores, the true rate of a threshold t is 1 - t, known without a test set."""
    generator = np.random.default_rng([count, int(100 * rate)])
    rules = [conformal_rule(generator.uniform(size=count), rate) for _ in range(500)]
    rates = np.array([1.0 - rule.threshold for rule in rules])
    guaranteed = rules[0].guaranteed
    rank = round(guaranteed * (count + 1))
    law = stats.beta(rank, count + 1 - rank)
    assert stats.kstest(rates, law.cdf).pvalue > 1e-3
    assert rates.mean() <= guaranteed + 3 * law.std() / math.sqrt(500)
    low, high = rules[0].interval_95
    assert np.mean((rates >= low) & (rates <= high)) == pytest.approx(0.95, abs=0.04)


@pytest.mark.parametrize(("count", "rate"), [(20, 0.1), (40, 0.05)])
def test_random_splits_of_one_pool_follow_the_negative_hypergeometric_law(count, rate):
    generator = np.random.default_rng(count)
    pool = generator.normal(size=100)
    guaranteed = conformal_rule(pool[:count], rate).guaranteed
    alarms = []
    for _ in range(500):
        order = generator.permutation(100)
        threshold = conformal_rule(pool[order[:count]], rate).threshold
        alarms.append(np.sum(pool[order[count:]].astype("float32") > threshold))
    alarms = np.array(alarms)
    # Walking down the pool, the alarms are what one meets before the m-th calibration score.
    rank = round(guaranteed * (count + 1))
    law = stats.nhypergeom(100, 100 - count, rank)
    assert law.mean() / (100 - count) == pytest.approx(guaranteed)  # exactly the guaranteed rate
    assert alarms.mean() == pytest.approx(law.mean(), abs=3 * law.std() / math.sqrt(500))
    cuts = [-1, *(int(law.ppf(share)) for share in (0.2, 0.4, 0.6, 0.8)), 100]
    observed = np.histogram(alarms, np.array(cuts) + 0.5)[0]
    expected = 500 * np.diff(law.cdf(cuts))
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_ties_only_lower_the_rate():
    generator = np.random.default_rng(0)
    rates = []
    for _ in range(500):
        scores = generator.integers(0, 4, size=20)
        # Of the values 0..3, each with a chance of 1/4, those strictly above the threshold:
        rates.append((3 - conformal_rule(scores, 0.1).threshold) / 4)
    assert np.mean(rates) <= 2 / 21


# The review band -------------------------------------------------------------------------------


def test_both_thresholds_of_nine_scores():
    scores = [3.0, -1.0, 7.5, 0.0, 9.0, 1.5, 4.0, 2.0, 0.25]
    rule, review_rule = conformal_rules(scores, 0.1, 0.39)
    assert rule == conformal_rule(scores, 0.1)
    assert review_rule == conformal_rule(scores, 0.39)
    assert (rule.threshold, review_rule.threshold) == (9.0, 4.0)
    assert conformal_rules(scores, 0.1) == (rule, None)


def test_a_score_between_the_thresholds_is_to_be_looked_at():
    decision = make_decision([1.0, 2.0, 3.0, 4.0], rate=0.2, review_rate=0.6)
    assert decision.review_rate == 0.6
    outputs = decide(decision, [1.0, 2.0, 2.5, 4.0, 4.5, np.nan])
    assert outputs["review_threshold"].tolist() == [2.0] * 6
    assert outputs["needs_review"].tolist() == [False, False, True, True, False, False]
    assert outputs["is_anomalous"].tolist() == [False, False, False, False, True, True]


def test_without_a_review_band_nothing_is_to_be_looked_at():
    decision = make_decision([1.0, 2.0, 3.0, 4.0], rate=0.2, review_rate=0.6)
    decision.change_rates(0.2)
    assert decision.review_rate is None
    outputs = decide(decision, [0.0, 2.5, 4.0, 4.5, np.inf, np.nan])
    assert not outputs["needs_review"].any()
    np.testing.assert_array_equal(outputs["review_threshold"], outputs["threshold"])
    assert not decide(make_decision([]), [-1.0, 1e30, np.nan])["needs_review"].any()


def test_of_good_images_at_most_the_guaranteed_share_is_not_called_good():
    generator = np.random.default_rng(7)
    shares, decision = [], make_decision([])
    for _ in range(300):
        decision.calibrate(generator.normal(size=40), 0.05, 0.2)
        outputs = decide(decision, generator.normal(size=200))
        shares.append([outputs["is_anomalous"].mean(), outputs["needs_review"].mean()])
    alarms, looks = np.mean(shares, axis=0)
    assert abs(alarms - 2 / 41) < 0.006
    assert abs(alarms + looks - 8 / 41) < 0.012  # three standard errors


def test_rates_whose_thresholds_fall_together_are_told():
    rule, review_rule = conformal_rules(np.arange(20.0), 0.01, 0.05)
    assert "20 calibration images guarantee" in rule.note
    assert "no image ever needs review" in review_rule.note
    assert conformal_rules(np.arange(20.0), 0.05, 0.1)[1].note is None


@pytest.mark.parametrize("rate", [0.05, 0.04, 1.0])
def test_review_rate_must_be_above_the_false_alarm_rate(rate):
    with pytest.raises(InputError, match=f"`review_rate` must .*Received: {rate}"):
        conformal_rules(np.arange(20.0), 0.05, rate)


# P-value and decision ------------------------------------------------------------------------


def test_p_value_counts_the_calibration_scores_that_are_at_least_as_high():
    decision = make_decision([4.0, 1.0, 2.0, 2.0], rate=0.4)
    outputs = decide(decision, [5.0, 4.0, 2.0, 1.5, 0.0])
    np.testing.assert_allclose(outputs["p_value"], [1 / 5, 2 / 5, 4 / 5, 4 / 5, 1.0])
    assert outputs["is_anomalous"].tolist() == [True, True, False, False, False]
    np.testing.assert_array_equal(outputs["threshold"], np.full(5, 2.0, "float32"))


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("rate", RATES)
def test_p_value_at_most_the_rate_is_the_same_decision(rate, ties):
    generator = np.random.default_rng(int(1e4 * rate))
    for count in (1, 2, 3, 9, 19, 20, 40, 99, 100):
        scores = generator.normal(size=count).astype("float32")
        if ties:
            scores = np.round(scores)
        decision = make_decision(scores, 128, rate)
        guaranteed = conformal_rule(scores, rate).guaranteed
        # On every calibration score, a hair above, a hair below, and far out.
        asked = np.concatenate(
            [scores, np.nextafter(scores, np.inf), np.nextafter(scores, -np.inf), [-99.0, 99.0]]
        )
        outputs = decide(decision, asked)
        # If the rate cannot be guaranteed, the decision is that of the rate that can.
        allowed = np.float32(max(rate, guaranteed))
        same = outputs["is_anomalous"] == (outputs["p_value"] <= allowed)
        assert same.all()
        assert (outputs["p_value"] > 0).all()
        assert (outputs["p_value"] <= 1).all()


def test_uncalibrated_decision_is_never_anomalous_and_has_p_value_1():
    outputs = decide(make_decision([]), [-1e30, 0.0, 1e30])
    assert outputs["p_value"].tolist() == [1.0, 1.0, 1.0]
    assert not outputs["is_anomalous"].any()
    assert np.isposinf(outputs["threshold"]).all()


def test_score_of_no_pixel_has_p_value_1_and_nan_is_a_defect():
    outputs = decide(make_decision([1.0, 2.0, 3.0], rate=0.25), [-np.inf, np.nan])
    assert outputs["p_value"].tolist() == [1.0, 0.25]
    assert outputs["is_anomalous"].tolist() == [False, True]


def test_nan_is_a_defect_in_a_compiled_graph_too():
    # Where "not <=" becomes ">", unlike in Python.
    decision = make_decision([1.0, 2.0, 3.0], rate=0.25)
    compiled = tf.function(lambda score: decision(score)["is_anomalous"])
    assert compiled(tf.constant([np.nan, 2.0, 4.0])).numpy().tolist() == [True, False, True]


# State ---------------------------------------------------------------------------------------


def test_free_places_are_minus_infinity_and_count_nowhere():
    decision = make_decision([0.5, 2.0, -1.0], capacity=5)
    np.testing.assert_array_equal(np.asarray(decision.scores), [2.0, 0.5, -1.0, -np.inf, -np.inf])
    assert decision.stored_scores().tolist() == [2.0, 0.5, -1.0]
    assert float(decision.count) == 3.0


def test_fewer_scores_than_before_leave_nothing_behind():
    decision = make_decision([5.0, 6.0, 7.0, 8.0], rate=0.5)
    decision.calibrate(np.array([1.0], "float32"), 0.5)
    assert decision.stored_scores().tolist() == [1.0]
    assert float(decision.threshold) == 1.0
    assert decide(decision, [3.0])["p_value"].tolist() == [0.5]


def test_recalibrating_needs_neither_a_new_graph_nor_a_new_variable():
    decision = make_decision([1.0, 2.0, 3.0], rate=0.25)
    traced = tf.function(decision.call)
    before = traced(tf.constant([2.5]))
    variables = [id(variable) for variable in decision.variables]
    scores = np.linspace(2.0, 9.0, 19).astype("float32")
    decision.calibrate(scores, 0.05, 0.2)
    after = traced(tf.constant([2.5]))
    assert traced.experimental_get_tracing_count() == 1
    assert [id(variable) for variable in decision.variables] == variables
    np.testing.assert_allclose(before["p_value"], [0.5])
    np.testing.assert_allclose(after["p_value"], [(1 + 17) / 20])
    assert float(after["threshold"][0]) == 9.0


def test_scores_that_fit_are_kept_whole_and_sorted():
    assert ConformalDecision(4).thin(np.array([1.0, 4.0, 2.0])).tolist() == [4.0, 2.0, 1.0]


def test_too_many_scores_are_thinned_to_evenly_spaced_ranks():
    # 11 scores for 3 places: ranks 12 / 4 * (1, 2, 3) = 3, 6, 9.
    kept = ConformalDecision(3).thin(np.arange(1.0, 12.0))
    assert kept.tolist() == [9.0, 6.0, 3.0]


@pytest.mark.parametrize(("count", "capacity"), [(11, 10), (15, 10), (199, 49), (1000, 37)])
def test_thinning_never_promises_more_than_all_scores_would(count, capacity):
    generator = np.random.default_rng(count)
    scores = np.round(generator.normal(size=count), 1).astype("float32")
    kept = ConformalDecision(capacity).thin(scores)
    assert len(kept) == capacity
    for rate in RATES:
        rule = conformal_rule(kept, rate)
        rank_among_all = np.sum(scores > rule.threshold) + 1
        assert rank_among_all / (count + 1) <= rule.guaranteed
    asked = np.concatenate([scores, [-99.0, 99.0]]).astype("float32")
    thinned = decide(make_decision(kept, capacity), asked)["p_value"]
    full = decide(make_decision(scores, count), asked)["p_value"]
    assert (thinned >= full - 1e-6).all()
    # At most the share of one kept score is lost.
    assert (thinned <= full + 1 / (capacity + 1) + 1e-6).all()


def test_thinning_does_not_hide_a_score_that_is_not_finite():
    scores = np.arange(100.0)
    scores[50] = np.nan
    with pytest.raises(InputError, match="not finite"):
        ConformalDecision(10).thin(scores)


def test_layer_round_trips_through_its_config():
    decision = make_decision([1.0, 2.0], capacity=7)
    config = keras.saving.serialize_keras_object(decision)
    again = keras.saving.deserialize_keras_object(config)
    again.set_weights(decision.get_weights())
    assert again.capacity == 7
    assert again.trainable_variables == []
    assert again.stored_scores().tolist() == [2.0, 1.0]
