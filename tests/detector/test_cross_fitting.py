import numpy as np
import pytest

from kerasad import AnomalyDetector
from kerasad.detector.batches import as_batches
from kerasad.detector.cross_fitting import fit_crosswise
from kerasad.detector.experts import CellGaussian, CellMemory, Expert
from kerasad.detector.experts.pixel_residual import PixelResidual
from kerasad.detector.fold_networks import FoldNetworks
from kerasad.detector.left_out import LeftOutLimits, NetworkTensors
from kerasad.errors import InputError

SHAPE = (16, 24, 3)


@pytest.fixture(scope="module")
def new_detector(make_model):
    def make(**options):
        experts = [CellGaussian("features", name="gaussian"), CellMemory("features", name="memory")]
        return AnomalyDetector(make_model(SHAPE, trainable=False), experts, **options)

    return make


@pytest.fixture(scope="module")
def images(good_images):
    return good_images(20, *SHAPE[:2])


@pytest.fixture(scope="module")
def crosswise(images, new_detector):
    detector = new_detector()
    detector.adapt_crosswise(images, folds=4, batch_size=7, verbose=0)
    return detector, detector.calibration_summary()


def test_the_deployed_statistics_are_those_of_all_images(crosswise, images, new_detector):
    plain = new_detector()
    plain.expert_maps.fit([images])
    for one, other in zip(
        crosswise[0].experts[0].variables, plain.experts[0].variables, strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    # Every cell is kept where there is room, whatever fold it came from.
    cells = [np.asarray(detector.experts[1].cells) for detector in (crosswise[0], plain)]
    counts = {len(each[each[:, -1] > -1e29]) for each in cells}
    assert len(counts) == 1
    assert min(counts) >= 20 * 4 * 6 - 5  # some may be as good as equal


def test_an_image_is_scored_by_statistics_that_have_not_seen_it(images, new_detector):
    strange = images.copy()
    strange[3, 4:12, 8:16] = [0.9, 0.1, 0.2]
    detector = new_detector()
    detector.adapt_crosswise(strange, verbose=0)
    left_out = detector.decision.stored_scores()[0]
    seen = detector.predict(strange[3:4], verbose=0)["anomaly_score"][0]
    assert left_out > 2.0 * seen
    assert detector.decision.stored_scores()[1] < 0.5 * left_out


def test_all_scores_calibrate_and_the_rate_is_expected_but_not_guaranteed(crosswise):
    detector, summary = crosswise
    assert summary["num_images"] == len(detector.decision.stored_scores()) == 20
    rate = summary["false_alarm_rate"]
    assert rate["guaranteed"] is None
    assert rate["expected"] == pytest.approx(1 / 21)
    assert rate["interval_95"][0] < 1 / 21 < rate["interval_95"][1]
    assert "expected, not guaranteed" in summary["note"]
    with pytest.raises(InputError, match="expected, not guaranteed"):
        detector.calibrate(None, strict=True)
    assert detector.calibrate(None, 0.2)["false_alarm_rate"]["expected"] == pytest.approx(4 / 21)
    detector.calibrate(None, 0.05)


def test_new_images_guarantee_a_rate_again(images, good_images, new_detector):
    detector = new_detector()
    detector.adapt_crosswise(images, verbose=0)
    summary = detector.calibrate(good_images(19, *SHAPE[:2], seed=5), strict=True, verbose=0)
    assert summary["false_alarm_rate"]["guaranteed"] == pytest.approx(0.05)
    assert not summary["crosswise"]


def test_near_copies_in_one_group_are_left_out_together_and_count_once(images, new_detector):
    copies = np.repeat(images[:10], 2, axis=0)
    apart, together = new_detector(), new_detector()
    # Every second image is in another fold than its copy.
    apart.adapt_crosswise(np.concatenate([images[:10], images[:10]]), folds=2, verbose=0)
    together.adapt_crosswise(copies, np.arange(20) // 2, folds=2, verbose=0)
    summary = together.calibration_summary()
    assert (summary["num_images"], summary["num_groups"]) == (20, 10)
    scores = [np.median(each.decision.stored_scores()) for each in (apart, together)]
    assert scores[0] < scores[1]
    with pytest.raises(InputError, match="`groups` must have one number for each image"):
        new_detector().adapt_crosswise(images, np.arange(19), verbose=0)


def test_it_gives_the_same_numbers_however_images_are_batched(crosswise, images, new_detector):
    other = new_detector()
    other.adapt_crosswise(images, folds=4, batch_size=20, verbose=0)
    one, two = (each.decision.stored_scores() for each in (crosswise[0], other))
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


def test_tensors_that_memory_cannot_keep_are_computed_again(crosswise, images, new_detector):
    expected = crosswise[0].decision.stored_scores()
    for most in (0, 2000):  # none of three batches, or one
        other = new_detector()
        fit_crosswise(
            other, as_batches(images, "images", 7), folds=4, limits=LeftOutLimits(tensors=most)
        )
        np.testing.assert_allclose(other.decision.stored_scores(), expected, rtol=1e-5)


def test_images_whose_maps_memory_cannot_keep_train_but_set_no_threshold(images, new_detector):
    detector = new_detector()
    fit_crosswise(detector, as_batches(images, "images", 8), limits=LeftOutLimits(maps=1))
    assert detector.calibration_summary()["num_images"] == 8
    assert float(detector.experts[0].count[0]) == len(images)


def test_images_that_are_cut_into_tiles_are_refused(images, make_model):
    detector = AnomalyDetector(make_model(SHAPE), image_size=(32, 48), overlap=4)
    with pytest.raises(InputError, match="cut into tiles"):
        detector.adapt_crosswise(images, verbose=0)


def test_each_image_is_scored_by_networks_that_have_not_seen_it(images, make_model):
    # The only weight is the grey that the model restores everything to.
    fold_of = np.array([0] * 7 + [1] * 6 + [2] * 7)
    networks = FoldNetworks(fold_of, [[np.float32(level)] for level in (0.5, 0.4, 0.9)])
    for order in (np.arange(20), np.random.default_rng(0).permutation(20)):
        detector = AnomalyDetector(make_model(SHAPE), [PixelResidual()], smoothing=0)
        shuffled = FoldNetworks(fold_of[order], networks.weights)
        maps = []
        for tensors, _ in NetworkTensors(detector, as_batches(images[order], "", 6), shuffled):
            made = detector.expert_maps.maps_of(tensors, detector.experts)
            maps += list(np.asarray(made)[..., 0])
        levels = np.array([0.5, 0.4, 0.9])[fold_of[order], None, None, None]
        expected = np.abs(images[order] - levels).mean(axis=-1)
        np.testing.assert_allclose(maps, expected, atol=1e-5)
        assert float(detector.model.level) == 0.5


def test_networks_of_folds_set_scales_and_thresholds(images, make_model):
    def scores(levels):
        detector = AnomalyDetector(make_model(SHAPE), [PixelResidual()])
        weights = [[np.float32(level)] for level in levels]
        networks = FoldNetworks(np.repeat([0, 1], 10), weights)
        found = detector.adapt_crosswise(images, folds=4, networks=networks, verbose=0)
        return found.scores

    plain = AnomalyDetector(make_model(SHAPE, trainable=False), [PixelResidual()])
    expected = plain.adapt_crosswise(images, folds=4, verbose=0).scores
    np.testing.assert_allclose(scores([0.5, 0.5]), expected, rtol=1e-4)
    other = scores([0.5, 0.1])
    assert other[10:].mean() > other[:10].mean() + 0.5


def test_networks_of_another_number_of_images_are_refused(images, make_model):
    networks = FoldNetworks(np.repeat([0, 1], 5), [[0.5], [0.5]])
    detector = AnomalyDetector(make_model(SHAPE), [PixelResidual()])
    with pytest.raises(InputError, match=r"same 20 images\. Received: networks of 10"):
        detector.adapt_crosswise(images, networks=networks, verbose=0)


def test_a_model_that_may_have_been_trained_on_the_images_needs_networks(images, make_model):
    model = make_model(SHAPE)
    detector = AnomalyDetector(model, [CellGaussian("features", name="gaussian")])
    with pytest.raises(InputError, match=r"^GreyModel may have been trained .* give `networks`"):
        detector.adapt_crosswise(images, verbose=0)
    model.trainable = False
    AnomalyDetector(model, [PixelResidual()]).adapt_crosswise(images, verbose=0)


def test_an_expert_that_cannot_absorb_is_refused_and_told_what_to_do(images, make_model):
    class Mean(Expert):
        requires = ("features",)
        passes = 1

    detector = AnomalyDetector(make_model(SHAPE, trainable=False), [Mean(name="mean")])
    with pytest.raises(InputError, match="'mean' cannot learn crosswise; call `adapt`"):
        detector.adapt_crosswise(images, verbose=0)
