"""Drift: the tests by hand, their false alarms, and what a detector makes of them."""

import json

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from kerasad import AnomalyDetector, InputError
from kerasad.detector.drift import (
    adjust_p_values,
    compare_images,
    describe_drift,
    energy_test,
    measure_drift,
)
from kerasad.detector.experts import PixelResidual

SHAPE = (32, 48, 3)


def draw_descriptors(generator, count, numbers=24, factors=3):
    """Numbers that hang together, of very different scales, as those of channels do."""
    mixing = np.random.default_rng(5).normal(size=(factors, numbers))
    noise = generator.normal(size=(count, numbers))
    scales = np.logspace(-2, 2, numbers)
    return (generator.normal(size=(count, factors)) @ mixing + noise) * scales + 10 * scales


def compare(generator, counts=(30, 20), shift=0.0, score_shift=0.0, **options):
    descriptors = [draw_descriptors(generator, count) for count in counts]
    descriptors[1] = descriptors[1] + shift * np.logspace(-2, 2, 24)
    scores = [generator.normal(size=count) for count in counts]
    return compare_images(scores[0], scores[1] + score_shift, *descriptors, **options)


# The tests -----------------------------------------------------------------------------------


def test_energy_distance_by_hand():
    # Two numbers, of deviation sqrt(6.5 / 3) and 0; the constant one counts nowhere.
    one, two = np.array([[0.0, 7.0], [1.0, 7.0]]), np.array([[3.0, 7.0]])
    pooled = np.array([0.0, 1.0, 3.0]).std()
    expected = (2 * (3 + 2) / 2 - 2 * 1 / 4 - 0) / pooled
    statistic, p_value = energy_test(one, two, permutations=299)
    assert statistic == pytest.approx(expected)
    assert p_value == pytest.approx(1 / 3, abs=0.09)  # of three ways to part them, one is as far


def test_energy_distance_against_scipys_distances():
    generator = np.random.default_rng(0)
    one, two = draw_descriptors(generator, 9), draw_descriptors(generator, 5)
    pooled = np.concatenate([one, two]).std(axis=0)
    one, two = one / pooled, two / pooled
    expected = 2 * cdist(one, two).mean() - cdist(one, one).mean() - cdist(two, two).mean()
    assert energy_test(one, two, permutations=9)[0] == pytest.approx(expected)


def test_scales_of_the_numbers_do_not_matter():
    generator = np.random.default_rng(1)
    one, two = draw_descriptors(generator, 12), draw_descriptors(generator, 7)
    factors, offsets = np.logspace(-3, 3, 24), np.linspace(-5, 5, 24)
    plain = energy_test(one, two, permutations=99)
    scaled = energy_test(one * factors + offsets, two * factors + offsets, permutations=99)
    np.testing.assert_allclose(plain, scaled, rtol=1e-8)


def test_images_that_are_all_the_same_are_no_drift():
    assert energy_test(np.ones((6, 4)), np.ones((5, 4)), permutations=99) == (0.0, 1.0)


def test_p_values_are_adjusted_as_holm_does():
    assert adjust_p_values([0.01, 0.2]) == [0.02, 0.2]
    assert adjust_p_values([0.04, 0.03]) == [0.06, 0.06]
    assert adjust_p_values([0.9, 0.8]) == [1.0, 1.0]
    np.testing.assert_allclose(adjust_p_values([0.01, 0.04, 0.02]), [0.03, 0.04, 0.04])


@pytest.mark.parametrize("counts", [(30, 20), (6, 9), (40, 5)])
def test_false_alarms_stay_below_the_level(counts):
    generator = np.random.default_rng(sum(counts))
    found = [compare(generator, counts, level=0.1, permutations=199)["drift"] for _ in range(250)]
    # By Bonferroni at most .1; three standard errors of 250 draws above it.
    assert np.mean(found) <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 250)


def test_p_values_of_the_energy_test_are_uniform_without_drift():
    generator = np.random.default_rng(3)
    found = [
        energy_test(draw_descriptors(generator, 15), draw_descriptors(generator, 10), 99)[1]
        for _ in range(300)
    ]
    for level in (0.1, 0.3, 0.5, 0.8):
        assert abs(np.mean(np.array(found) <= level) - level) < 3.5 * np.sqrt(
            level * (1 - level) / 300
        )


def test_either_kind_of_drift_is_found_and_named():
    generator = np.random.default_rng(4)
    by_score = compare(generator, score_shift=2.0)
    assert by_score["drift"]
    assert by_score["scores"]["adjusted_p_value"] <= 0.05 < by_score["features"]["p_value"]
    by_features = compare(generator, shift=1.5)
    assert by_features["drift"]
    assert by_features["features"]["adjusted_p_value"] <= 0.05 < by_features["scores"]["p_value"]


@pytest.mark.parametrize("counts", [(4, 20), (20, 4), (20, 0)])
def test_of_a_few_images_nothing_can_be_told(counts):
    with pytest.raises(InputError, match="fewer than 5 tell nothing"):
        compare(np.random.default_rng(0), counts)


def test_a_level_that_no_p_value_reaches_is_refused():
    with pytest.raises(InputError, match=r"5 new images compared with 5 .* cannot show drift at a"):
        compare(np.random.default_rng(0), (5, 5), level=0.01)
    assert compare(np.random.default_rng(0), (5, 5), level=0.05)["level"] == 0.05
    with pytest.raises(InputError, match=r"`level` must be from 0\.002 to 0\.5. Received: 0\.001"):
        compare(np.random.default_rng(0), level=0.001)


# The detector --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detector(make_model, good_images, batched):
    made = AnomalyDetector(make_model(SHAPE), [PixelResidual(name="residual")])
    images = good_images(12, *SHAPE[:2])
    made.adapt(batched(images[:6]), batched(images[6:]), num_defects=8, verbose=0)
    made.calibrate(batched(good_images(19, *SHAPE[:2], seed=1)), verbose=0)
    return made


def test_a_check_finds_a_brighter_lamp_and_changes_nothing(detector, good_images, batched):
    weights = [np.array(value) for value in detector.get_weights()]
    images = good_images(12, *SHAPE[:2], seed=2)
    same = measure_drift(detector, batched(images), verbose=0)
    brighter = measure_drift(detector, batched(images * 1.1), verbose=0)
    assert not same["drift"]
    assert brighter["drift"]
    assert brighter["features"]["p_value"] == 1 / 2000
    assert (brighter["num_images"], brighter["num_calibration_images"]) == (12, 19)
    assert brighter["tensor"] == "features"
    assert json.loads(json.dumps(brighter, allow_nan=False)) == brighter
    for before, after in zip(weights, detector.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_check_says_the_same_again_in_batches_of_any_size(detector, good_images, batched):
    images = good_images(11, *SHAPE[:2], seed=3)
    one = measure_drift(detector, batched(images, 4), verbose=0)
    assert measure_drift(detector, batched(images, 4), verbose=0) == one
    other = measure_drift(detector, batched(images, 11), verbose=0)
    assert other["features"]["statistic"] == pytest.approx(one["features"]["statistic"], rel=1e-4)


def test_a_detector_calibrated_on_crops_or_not_at_all_cannot_be_checked(
    detector, good_images, batched
):
    weights = detector.get_weights()
    good = batched(good_images(6, *SHAPE[:2], seed=4))
    try:
        detector.calibrate(good, on_crops=True, verbose=0)
        with pytest.raises(InputError, match="crops of one left-out image"):
            measure_drift(detector, good, verbose=0)
    finally:
        detector.set_weights(weights)
    fresh = AnomalyDetector(detector.model, [PixelResidual(name="residual")])
    with pytest.raises(InputError, match="The detector is not calibrated"):
        measure_drift(fresh, good, verbose=0)


def test_people_are_told_in_a_sentence(detector, good_images, batched):
    images = good_images(12, *SHAPE[:2], seed=2)
    text = describe_drift(measure_drift(detector, batched(images), verbose=0))
    assert text.startswith("No drift found: the 12 new images look like the 19 calibration")
    text = describe_drift(measure_drift(detector, batched(images * 1.1), verbose=0))
    assert text.startswith("Drift: ")
    assert "p = 0.0005" in text
