import numpy as np
import pytest

from kerasad import AnomalyDetector
from kerasad.detector.experts import CellGaussian, CellMemory
from kerasad.detector.fusion import GOOD, FusionSample, pixel_objective
from kerasad.detector.real_defects import _move, _together, choose_review_rate
from kerasad.errors import InputError

SHAPE = (16, 24, 3)


def make_sample(count, strength, seed=0, kinds=None):
    """Maps of two experts: the first sees the defect with `strength`, the second never."""
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(count, 12, 12, 2)).astype("float32")
    masks = np.zeros((count, 12, 12), bool)
    if kinds is None:
        masks[:, 4:8, 4:8] = True
        maps[:, 4:8, 4:8, 0] += strength
    kinds = np.arange(count) if kinds is None else np.full(count, kinds)
    return FusionSample(maps, maps, masks, np.ones_like(masks), kinds, np.arange(count))


def move(strength, former, seed=0):
    good = make_sample(20, 0.0, seed + 1000, GOOD)
    sample = _together(good, make_sample(8, strength, seed))
    return _move(sample, pixel_objective, np.asarray(former))


def test_an_expert_that_alone_sees_the_defects_gains_weight():
    weights, changed = move(2.0, [0.2, 0.8])
    assert changed
    assert weights[0] > 0.55
    assert weights.sum() == pytest.approx(1.0)


def test_defects_that_no_expert_sees_seldom_change_the_weights():
    changes = [move(0.0, [0.5, 0.5], seed)[1] for seed in range(10)]
    assert sum(changes) <= 1


def test_weights_that_are_right_already_stay():
    weights, changed = move(50.0, [1.0, 0.0])
    assert not changed
    np.testing.assert_array_equal(weights, [1.0, 0.0])


def test_the_review_band_reaches_down_to_the_lowest_defect_that_it_can_afford():
    good = np.arange(99.0)[::-1]  # p-values: a score of 94.5 has .05, one of 89.5 .10
    assert choose_review_rate(np.array([200.0, 89.5, 92.5]), good, 0.05) == pytest.approx(0.10)
    # A defect that looks like half of the good images would have half of these reviewed.
    assert choose_review_rate(np.array([50.0, 89.5]), good, 0.05) == pytest.approx(0.10)
    assert choose_review_rate(np.array([200.0, 300.0]), good, 0.05) is None


@pytest.fixture(scope="module")
def new_detector(make_model):
    def make():
        experts = [CellGaussian("features", name="gaussian"), CellMemory("features", name="memory")]
        return AnomalyDetector(make_model(SHAPE, trainable=False), experts)

    return make


@pytest.fixture(scope="module")
def defects(good_images):
    images, masks = good_images(8, *SHAPE[:2], seed=9), np.zeros((8, 16, 24, 1), "float32")
    for number, image in enumerate(images):
        image[4:8, 8:12] += 0.02 * number
        masks[number, 4:8, 8:12] = 1.0
    return np.clip(images, 0.0, 1.0), masks


def test_real_defects_leave_the_threshold_to_good_images(new_detector, good_images, defects):
    images = good_images(20, *SHAPE[:2])
    detector = new_detector()
    detector.adapt_crosswise(images, false_alarm_rate=0.1, defects=defects, verbose=0)
    summary = detector.calibration_summary()
    found = summary["real_defects"]
    assert (found["num_defects"], found["num_masks"]) == (8, 8)
    assert "8 real defects" in summary["note"]
    if not (found["map_weights"] or found["score_weights"]):
        plain = new_detector()
        plain.adapt_crosswise(images, false_alarm_rate=0.1, verbose=0)
        assert detector.threshold == plain.threshold
    scores = detector.decision.stored_scores()
    assert detector.threshold == scores[1]
    if summary["review_rate"] is not None:
        assert summary["review_rate"]["guaranteed"] is None
        assert summary["review_rate"]["requested"] <= 0.2


def test_images_without_masks_choose_no_weights_of_the_map(new_detector, good_images, defects):
    detector = new_detector()
    train, validation = good_images(12, *SHAPE[:2]), good_images(6, *SHAPE[:2], seed=1)
    detector.adapt(train, validation, num_defects=8, defects=defects[0], verbose=0)
    found = detector.calibration_summary()["real_defects"]
    assert (found["num_masks"], found["map_weights"]) == (0, False)
    assert "which the map needs" in found["note"]
    detector.adapt(train, validation, num_defects=8, verbose=0)
    assert detector.calibration_summary()["real_defects"] is None


def test_a_band_from_defects_guarantees_nothing_until_it_is_asked_for(
    new_detector, good_images, defects
):
    detector = new_detector()
    detector.adapt(
        good_images(12, *SHAPE[:2]), good_images(6, *SHAPE[:2], seed=1), num_defects=8, verbose=0
    )
    good = good_images(30, *SHAPE[:2], seed=2)
    detector.calibrate(good, 0.04, verbose=0)
    threshold = detector.threshold
    subtle = np.concatenate([good[:7], defects[0][-1:]])  # as if good ones were called defective
    summary = detector.calibrate(good, 0.04, defects=subtle, verbose=0)
    assert detector.threshold == threshold
    assert summary["false_alarm_rate"]["guaranteed"] is not None
    assert summary["review_rate"]["guaranteed"] is None
    assert "8 real defects" in summary["note"]
    assert detector.calibrate(None, 0.04, review_rate=0.1)["review_rate"]["guaranteed"] is not None


def test_seven_defects_are_too_few(new_detector, good_images, defects):
    with pytest.raises(InputError, match=r"At least 8 different defective images.*Received: 7"):
        new_detector().adapt_crosswise(
            good_images(20, *SHAPE[:2]), defects=defects[0][:7], verbose=0
        )
