"""The detector on a model that can be computed by hand."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasad import AnomalyDetector, InputError
from kerasad.data.geometry import resize_image
from kerasad.detector.experts import CellGaussian, LatentKL, PixelResidual

SHAPE = (32, 48, 3)
OUTPUTS = {
    "anomaly_map": (32, 48, 1),
    "anomaly_score": (),
    "p_value": (),
    "is_anomalous": (),
    "needs_review": (),
    "threshold": (),
    "review_threshold": (),
    "pixel_threshold": (),
    "attention_map": (32, 48, 1),
}


def make_experts(position_free=False):
    return [
        PixelResidual(name="residual", position_free=position_free),
        CellGaussian("features", name="gaussian", position_free=position_free),
    ]


@pytest.fixture
def detector(make_model):
    """Not adapted."""
    return AnomalyDetector(make_model(SHAPE), make_experts())


def adapted(model, images, batched, **options):
    free = bool(options)
    detector = AnomalyDetector(model, make_experts(free), **options)
    height, width, _ = model.image_shape
    detector.adapt(
        batched(images[:8, :height, :width]), batched(images[8:16]), num_defects=8, verbose=0
    )
    return detector


@pytest.fixture(scope="module")
def calibrated_once(make_model, good_images, batched):
    detector = adapted(make_model(SHAPE), good_images(16, *SHAPE[:2]), batched)
    detector.calibrate(batched(good_images(19, *SHAPE[:2], seed=1)), verbose=0)
    return detector


@pytest.fixture
def calibrated(calibrated_once):
    """Adapted to 8 + 8 images, calibrated on 19; put back after each test."""
    weights = calibrated_once.get_weights()
    yield calibrated_once
    calibrated_once.set_weights(weights)


@pytest.fixture(scope="module")
def padded_once(make_model, good_images, batched):
    images = good_images(16, *SHAPE[:2])
    detector = adapted(make_model(SHAPE), images, batched, keep_aspect=True)
    detector.calibrate(batched(good_images(19, *SHAPE[:2], seed=1)), verbose=0)
    return detector


@pytest.fixture
def padded(padded_once):
    """Calibrated as `calibrated`, keeps the aspect ratio of others; put back after each test."""
    weights = padded_once.get_weights()
    yield padded_once
    padded_once.set_weights(weights)


def predict(detector, inputs):
    return detector.predict(inputs, verbose=0)


def assert_equal(one, two, rows=slice(None)):
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(np.asarray(value)[rows], np.asarray(two[name]), name)


# One image, one answer -----------------------------------------------------------------------


def test_outputs_are_batched_float32_maps_scores_and_a_decision(calibrated, good_images):
    outputs = predict(calibrated, good_images(3, *SHAPE[:2]))
    assert {name: value.shape for name, value in outputs.items()} == {
        name: (3, *shape) for name, shape in OUTPUTS.items()
    }
    dtypes = {name: str(value.dtype) for name, value in outputs.items()}
    assert dtypes == {
        name: "bool" if name in ("is_anomalous", "needs_review") else "float32" for name in OUTPUTS
    }
    assert outputs["attention_map"].min() >= 0
    assert outputs["attention_map"].max() <= 1


def test_score_and_map_by_hand(make_model, good_images):
    # One expert, no smoothing, and scales of 0 and 1: the residual itself, behind an asinh.
    detector = AnomalyDetector(make_model(SHAPE), [PixelResidual()], smoothing=0.0)
    images = good_images(2, *SHAPE[:2])
    images[1, 5, 7] = 0.9
    outputs = detector.score_on_batch(images)
    residual = np.arcsinh(np.abs(images - 0.5).mean(axis=-1, keepdims=True))
    np.testing.assert_allclose(outputs["anomaly_map"], residual, atol=1e-6)
    np.testing.assert_allclose(outputs["anomaly_score"], residual.max(axis=(1, 2, 3)), rtol=1e-5)
    assert outputs["anomaly_score"][1] == pytest.approx(np.arcsinh(0.4), rel=1e-5)


def test_weights_add_up_the_maps_of_the_experts(detector, good_images):
    images = good_images(2, *SHAPE[:2])
    maps, _ = detector.expert_maps(tf.constant(images))
    detector.fusion_weights.assign([0.25, 0.75])
    detector.score_weights.assign([0.25, 0.75])
    expected = np.arcsinh(np.asarray(maps)) @ np.array([[0.25], [0.75]])
    found = detector.score_on_batch(images)["anomaly_map"]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_score_reads_places_and_the_map_both_standardizations(calibrated, good_images):
    images = good_images(2, *SHAPE[:2], seed=5)
    maps, _ = calibrated.expert_maps(tf.constant(images))
    weights = np.asarray(calibrated.fusion_weights)[:, None]
    pixels, places = (np.asarray(values) @ weights for values in calibrated.map_calibration(maps))
    outputs = predict(calibrated, images)
    np.testing.assert_allclose(outputs["anomaly_map"], pixels, atol=1e-5)
    np.testing.assert_allclose(outputs["anomaly_score"], places.max(axis=(1, 2, 3)), rtol=1e-5)


def test_score_does_not_depend_on_batch_mates(calibrated, good_images):
    images = good_images(5, *SHAPE[:2], seed=2)
    images[3, 10:14, 10:14] = 1.0
    together = predict(calibrated, images)
    for index in range(5):
        assert_equal(together, predict(calibrated, images[index : index + 1]), [index])


def test_call_predict_and_stream_agree(calibrated, good_images):
    images = good_images(5, *SHAPE[:2], seed=2)
    expected = predict(calibrated, images)
    assert_equal(expected, {k: np.asarray(v) for k, v in calibrated(images).items()})
    batches = [(images[:3], "targets"), images[3:]]
    streamed = list(calibrated.predict_stream(batches))
    assert [targets for _, _, targets in streamed] == ["targets", None]
    assert streamed[0][1] is batches[0][0]
    joined = {
        name: np.concatenate([outputs[name] for outputs, _, _ in streamed]) for name in expected
    }
    assert_equal(expected, joined)


def test_defect_is_found_where_it_is(calibrated, good_images):
    images = good_images(2, *SHAPE[:2], seed=3)
    images[1, 20:26, 30:38] = [0.9, 0.2, 0.1]
    outputs = predict(calibrated, images)
    assert outputs["is_anomalous"].tolist() == [False, True]
    assert outputs["p_value"][1] == np.float32(1 / 20)
    y, x = np.unravel_index(outputs["anomaly_map"][1, ..., 0].argmax(), SHAPE[:2])
    assert 18 <= y < 28
    assert 28 <= x < 40
    marked = outputs["anomaly_map"][1, ..., 0] > outputs["pixel_threshold"][1]
    assert marked[20:26, 30:38].mean() > 0.9
    assert marked.mean() < 0.2


# Sizes, padding, tiles -----------------------------------------------------------------------


@pytest.mark.parametrize("keep_aspect", [False, True])
def test_resizing_inside_is_the_one_that_pipelines_use(
    calibrated, padded, good_images, keep_aspect
):
    detector = padded if keep_aspect else calibrated
    images = good_images(2, 60, 52)
    resized, valid = resize_image(images, *SHAPE[:2], keep_aspect=keep_aspect)
    inputs = {"images": resized, "valid": valid} if keep_aspect else resized
    outside = {name: np.asarray(value) for name, value in detector(inputs).items()}
    assert_equal(predict(detector, images), outside)


def test_size_that_is_open_in_the_graph_gives_the_same(calibrated, good_images):
    serve = tf.function(calibrated.call).get_concrete_function(
        tf.TensorSpec((None, None, None, 3), "float32")
    )
    for size in ((60, 52), SHAPE[:2]):
        images = good_images(2, *size)
        for name, value in predict(calibrated, images).items():
            np.testing.assert_allclose(
                serve(tf.constant(images))[name], value, rtol=1e-5, atol=1e-5, err_msg=name
            )


def test_padded_pixels_do_not_reach_the_score(make_model, good_images):
    # Without smoothing a pixel's residual is its own affair.
    detector = AnomalyDetector(
        make_model(SHAPE), [PixelResidual(position_free=True)], keep_aspect=True, smoothing=0.0
    )
    images = good_images(3, *SHAPE[:2])
    valid = np.zeros((3, 32, 48, 1), "float32")
    valid[0, :20], valid[1, :, :7], valid[2] = 1, 1, 1
    clean = detector.score_on_batch({"images": images, "valid": valid})
    spoilt = np.where(valid > 0, images, 1.0).astype("float32")
    np.testing.assert_array_equal(
        detector.score_on_batch({"images": spoilt, "valid": valid})["anomaly_score"],
        clean["anomaly_score"],
    )
    expected = np.where(valid[..., 0] > 0, np.abs(images - 0.5).mean(axis=-1), 0).max(axis=(1, 2))
    np.testing.assert_allclose(clean["anomaly_score"], np.arcsinh(expected), rtol=1e-5)


def test_image_without_a_real_pixel_is_not_anomalous(padded, good_images, batched):
    padded.calibrate(batched(good_images(19, *SHAPE[:2])), verbose=0)
    inputs = {"images": good_images(1, *SHAPE[:2]), "valid": np.zeros((1, 32, 48, 1), "float32")}
    outputs = predict(padded, inputs)
    assert outputs["p_value"].tolist() == [1.0]
    assert outputs["is_anomalous"].tolist() == [False]


def test_padded_images_of_another_size_are_refused(calibrated, good_images):
    inputs = {"images": good_images(1, 40, 40), "valid": np.ones((1, 40, 40, 1), "float32")}
    with pytest.raises(InputError, match=r"must have the detector's size \(32, 48\).*\(40, 40\)"):
        calibrated(inputs)


def test_pixel_threshold_leaves_out_what_the_call_itself_pads(padded, good_images, batched):
    images = good_images(6, 64, 40)
    padded.calibrate(batched(images), verbose=0)
    inside = padded.pixel_threshold
    resized, valid = resize_image(images, *SHAPE[:2], keep_aspect=True)
    assert not np.asarray(valid).all()
    data = batched({"images": resized, "valid": valid})
    padded.calibrate(data, verbose=0)
    assert padded.pixel_threshold == inside
    maps = predict(padded, images)["anomaly_map"][np.asarray(valid) > 0]
    assert inside == maps.max()


def test_tiles_give_what_the_whole_image_would(make_model, good_images):
    # The residual looks at one pixel, so tiles cannot change it.
    expert = PixelResidual(position_free=True)
    tiled = AnomalyDetector(
        make_model((16, 16, 3)), [expert], image_size=(40, 56), overlap=4, smoothing=1.0
    )
    whole = AnomalyDetector(make_model((40, 56, 3)), [PixelResidual()], smoothing=1.0)
    assert tiled.expert_maps.position_free
    images = good_images(3, 40, 56)
    found = tiled.answer(images)
    for name, value in whole.answer(images).items():
        if name != "attention_map":
            np.testing.assert_allclose(found[name], value, atol=1e-5, err_msg=name)
    assert found["attention_map"].shape == (3, 40, 56, 1)


def test_images_put_together_of_tiles_keep_their_places_but_padded_ones_have_none(make_model):
    options = {"image_size": (40, 56), "overlap": 4}
    for keep_aspect in (False, True):
        detector = AnomalyDetector(
            make_model((16, 16, 3)), [PixelResidual()], keep_aspect=keep_aspect, **options
        )
        assert detector.map_calibration.position_free == keep_aspect


def test_tiled_detector_learns_from_crops_and_keeps_images_apart(make_model, good_images, batched):
    detector = adapted(
        make_model((16, 16, 3)), good_images(16, 32, 40), batched, image_size=(32, 40), overlap=4
    )
    detector.calibrate(batched(good_images(19, 32, 40, seed=1)), verbose=0)
    images = good_images(3, 32, 40, seed=2)
    images[1, 4:10, 30:36] = 1.0
    together = predict(detector, images)
    assert together["is_anomalous"].tolist() == [False, True, False]
    for index in range(3):
        assert_equal(together, predict(detector, images[index : index + 1]), [index])


# Calibration ---------------------------------------------------------------------------------


def test_uncalibrated_detector_has_no_threshold_and_says_so(detector):
    assert detector.threshold == detector.review_threshold == detector.pixel_threshold == np.inf
    summary = detector.calibration_summary()
    assert summary["note"] == "Not calibrated yet."
    assert summary["threshold"] is summary["pixel_threshold"] is None
    assert summary["false_alarm_rate"]["guaranteed"] is None
    assert summary["num_images"] == 0


def test_calibration_is_the_conformal_rule_on_the_scores(calibrated, good_images):
    images = good_images(19, *SHAPE[:2], seed=1)
    scores = np.sort(predict(calibrated, images)["anomaly_score"])
    assert calibrated.threshold == scores[-1]
    summary = calibrated.calibrate(None, false_alarm_rate=0.1, verbose=0)
    assert calibrated.threshold == summary["threshold"] == scores[-2]
    assert summary["num_images"] == 19
    assert summary["false_alarm_rate"]["requested"] == 0.1
    assert summary["false_alarm_rate"]["guaranteed"] == 0.1
    outputs = predict(calibrated, images)
    assert outputs["is_anomalous"].sum() == 1
    np.testing.assert_array_equal(outputs["is_anomalous"], outputs["p_value"] <= np.float32(0.1))


def test_near_copies_count_once_by_their_largest_score(calibrated, good_images):
    images = good_images(19, *SHAPE[:2], seed=1)
    scores = predict(calibrated, images)["anomaly_score"]
    groups = np.arange(19) // 2
    summary = calibrated.calibrate(images, 0.05, groups=groups, verbose=0)
    largest = [scores[groups == group].max() for group in range(10)]
    np.testing.assert_array_equal(calibrated.decision.stored_scores(), np.sort(largest)[::-1])
    assert (summary["num_images"], summary["num_groups"]) == (19, 10)
    assert summary["false_alarm_rate"]["guaranteed"] == pytest.approx(1 / 11)
    assert summary["note"] == (
        "19 calibration photos, about 10 scenes: 5% cannot be promised, 9.1% can."
    )
    summary = calibrated.calibrate(None, 0.2)
    assert summary["note"].endswith(
        "about 10 scenes: each scene counts once, by its largest score."
    )
    with pytest.raises(InputError, match="each of the 19 calibration images"):
        calibrated.calibrate(images, groups=groups[1:], verbose=0)
    summary = calibrated.calibrate(images, verbose=0)
    assert (summary["num_images"], summary["num_groups"], summary["note"]) == (19, 19, None)


def test_no_more_good_images_than_the_rate_allows_have_a_pixel_above_the_pixel_threshold(
    calibrated, good_images, batched
):
    images = good_images(9, *SHAPE[:2], seed=4)
    calibrated.calibrate(batched(images), false_alarm_rate=0.2, verbose=0)
    peaks = np.sort(predict(calibrated, images)["anomaly_map"].max(axis=(1, 2, 3)))
    assert calibrated.pixel_threshold == peaks[-2]  # 20 % of 10 are two: one above, and the next
    calibrated.calibrate(None, false_alarm_rate=0.3, verbose=0)
    assert calibrated.pixel_threshold == peaks[-3]


def test_another_rate_alone_changes_nothing_else(calibrated, good_images):
    images = good_images(4, *SHAPE[:2], seed=6)
    before = predict(calibrated, images)
    stored = calibrated.decision.stored_scores()
    calibrated.calibrate(None, false_alarm_rate=0.5, verbose=0)
    after = predict(calibrated, images)
    np.testing.assert_array_equal(calibrated.decision.stored_scores(), stored)
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert "threshold" in changed
    assert changed <= {"threshold", "review_threshold", "pixel_threshold", "is_anomalous"}


def test_a_review_band_is_set_from_the_stored_scores_and_taken_away_again(calibrated, good_images):
    images = good_images(19, *SHAPE[:2], seed=1)
    scores = np.sort(predict(calibrated, images)["anomaly_score"])
    assert not predict(calibrated, images)["needs_review"].any()
    assert calibrated.calibration_summary()["review_rate"] is None
    summary = calibrated.calibrate(None, 0.1, review_rate=0.25, verbose=0)
    assert (calibrated.threshold, calibrated.review_threshold) == (scores[-2], scores[-5])
    assert summary["review_threshold"] == scores[-5]
    assert summary["review_rate"]["requested"] == 0.25
    assert summary["review_rate"]["guaranteed"] == 0.25
    outputs = predict(calibrated, images)
    assert outputs["is_anomalous"].sum() == 1
    assert outputs["needs_review"].sum() == 3
    np.testing.assert_array_equal(outputs["review_threshold"], np.full(19, scores[-5]))
    summary = calibrated.calibrate(None, 0.1, verbose=0)
    assert summary["review_rate"] is None
    assert summary["review_threshold"] == summary["threshold"]
    assert not predict(calibrated, images)["needs_review"].any()


def test_rates_out_of_order_change_nothing(calibrated):
    before = calibrated.calibration_summary()
    with pytest.raises(InputError, match=r"`review_rate` must be above `false_alarm_rate`, 0\.2"):
        calibrated.calibrate(None, false_alarm_rate=0.2, review_rate=0.2, verbose=0)
    assert calibrated.calibration_summary() == before


@pytest.mark.parametrize("rate", [2 / 21, 1 / 3, 1e-7, 1 - 1e-9])
def test_summary_states_the_rate_that_the_threshold_was_made_for(calibrated, rate):
    calibrated.decision.calibrate(np.arange(20.0, 0.0, -1.0))
    summary = calibrated.calibrate(None, false_alarm_rate=rate, verbose=0)
    assert summary["false_alarm_rate"]["requested"] == rate
    rank = 21 * summary["false_alarm_rate"]["guaranteed"]
    assert summary["threshold"] == 21 - round(rank)


def test_failed_calibration_leaves_the_old_one(calibrated, good_images, batched):
    before = calibrated.calibration_summary()
    good = batched(good_images(5, *SHAPE[:2]))
    with pytest.raises(InputError, match=r"5 calibration images guarantee 16\.7%; 1% needs 99"):
        calibrated.calibrate(good, false_alarm_rate=0.01, strict=True, verbose=0)
    broken = good_images(5, *SHAPE[:2])
    broken[2, 3, 4] = np.nan
    with pytest.raises(InputError, match="not finite"):
        calibrated.calibrate(batched(broken), verbose=0)
    with pytest.raises(InputError, match="no calibration image"):
        calibrated.calibrate([], verbose=0)
    assert calibrated.calibration_summary() == before


@pytest.mark.parametrize("argument", ["false_alarm_rate", "review_rate"])
@pytest.mark.parametrize("value", [0.0, 1.0, 5.0])
def test_rate_out_of_range_names_the_argument(calibrated, good_images, batched, argument, value):
    with pytest.raises(InputError, match=f"`{argument}` must be above 0 and below 1"):
        calibrated.calibrate(batched(good_images(2, *SHAPE[:2])), **{argument: value}, verbose=0)


def test_crops_of_one_image_guarantee_nothing(calibrated, good_images, batched):
    good = batched(good_images(19, *SHAPE[:2]))
    summary = calibrated.calibrate(good, on_crops=True, verbose=0)
    assert summary["false_alarm_rate"] == {
        "requested": 0.05,
        "expected": None,
        "guaranteed": None,
        "interval_95": None,
    }
    assert "crops of one left-out image" in summary["note"]
    for data in (good, None):
        with pytest.raises(InputError, match="no false-alarm rate is guaranteed"):
            calibrated.calibrate(data, strict=True, on_crops=True, verbose=0)
    assert calibrated.calibrate(good, verbose=0)["note"] is None


def test_what_is_promised_depends_on_the_argument_not_on_the_dataset(
    calibrated, good_images, batched
):
    good = batched(good_images(19, *SHAPE[:2]))
    for data in (good, good.prefetch(1), good.map(lambda images: images), good.cache()):
        for on_crops, guaranteed in ((True, None), (False, 0.05)):
            summary = calibrated.calibrate(data, on_crops=on_crops, verbose=0)
            assert summary["false_alarm_rate"]["guaranteed"] == guaranteed


def test_summary_is_strict_json_and_names_every_expert(calibrated):
    summary = calibrated.calibration_summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert list(summary["experts"]) == ["residual", "gaussian"]
    assert sum(row["weight"] for row in summary["experts"].values()) == pytest.approx(1.0)
    assert all(row["scale"] > 0 for row in summary["experts"].values())


def test_new_calibration_needs_neither_a_new_graph_nor_a_new_variable(
    calibrated, good_images, batched
):
    call = tf.function(calibrated.call)
    images = tf.constant(good_images(2, *SHAPE[:2], seed=7))
    before = call(images)
    variables = [id(variable) for variable in calibrated.variables]
    calibrated.calibrate(batched(good_images(40, *SHAPE[:2], seed=8)), 0.1, verbose=0)
    after = call(images)
    assert call.experimental_get_tracing_count() == 1
    assert [id(variable) for variable in calibrated.variables] == variables
    assert float(after["threshold"][0]) == calibrated.threshold != float(before["threshold"][0])


def test_adapting_again_is_like_the_first_time(calibrated, detector, good_images, batched):
    images, others = good_images(16, *SHAPE[:2]), good_images(16, *SHAPE[:2], seed=9)
    scores, experts = calibrated.score_on_batch(others), calibrated.calibration_summary()["experts"]
    for part in (others, images):
        calibrated.adapt(batched(part[:8]), batched(part[8:]), num_defects=8, verbose=0)
        if part is others:
            assert calibrated.calibration_summary()["experts"] != experts
            calibrated.calibrate(batched(others), on_crops=True, verbose=0)
    summary = calibrated.calibration_summary()
    assert summary == {**detector.calibration_summary(), "experts": experts}
    assert summary["note"] == "Not calibrated yet."
    assert_equal(scores, calibrated.score_on_batch(others))


# What is its own -----------------------------------------------------------------------------


def test_changing_the_model_afterwards_does_not_change_the_detector(
    make_model, good_images, batched
):
    model = make_model(SHAPE)
    detector = adapted(model, good_images(16, *SHAPE[:2]), batched)
    before = detector.score_on_batch(good_images(2, *SHAPE[:2]))
    model.grey.assign(0.9)
    assert_equal(before, detector.score_on_batch(good_images(2, *SHAPE[:2])))


def test_nothing_in_a_detector_is_trainable(detector):
    assert detector.trainable_variables == []


def test_mixed_precision_does_not_round_the_images(make_model, good_images, batched):
    images = good_images(16, *SHAPE[:2])
    expected = adapted(make_model(SHAPE), images, batched).score_on_batch(images[:2])
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = make_model(SHAPE, dtype="float32")
        outputs = adapted(model, images, batched).score_on_batch(images[:2])
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert_equal(expected, outputs)


# Wrong arguments -----------------------------------------------------------------------------


def test_expert_without_its_tensor_is_named_with_what_there_is(make_model):
    with pytest.raises(InputError, match=r"'latent_kl' needs the tensor 'z_mean'.*it has attent"):
        AnomalyDetector(make_model(SHAPE), [LatentKL(name="latent_kl")])


@pytest.mark.parametrize("names", [[], ["same", "same"]])
def test_experts_need_names_of_their_own(make_model, names):
    with pytest.raises(InputError, match="`experts` must be at least one layer"):
        AnomalyDetector(make_model(SHAPE), [PixelResidual(name=name) for name in names])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": (16, 48)}, r"`tile` \(32 px\) is larger than the image's side \(16 px\)"),
        ({"image_size": (64, 64), "overlap": 32}, r"`overlap` must be in 0..31"),
        ({"image_size": "big"}, "image_size='big' is not a size"),
        ({"image_size": (0, 48)}, "image_size"),
        ({"smoothing": -1.0}, "`smoothing` must be at least 0"),
    ],
)
def test_wrong_size_names_the_argument(make_model, options, message):
    with pytest.raises(InputError, match=message):
        AnomalyDetector(make_model(SHAPE), make_experts(), **options)


def test_bytes_are_refused_instead_of_scored(calibrated):
    with pytest.raises(InputError, match=r"^Images must be floats in \[0, 1\]. Received.*uint8"):
        calibrated(np.full((1, *SHAPE), 128, "uint8"))


@pytest.mark.parametrize("method", ["__call__", "predict", "predict_on_batch", "score_on_batch"])
def test_pixels_of_0_to_255_are_refused_in_one_sentence(calibrated, good_images, method):
    images = good_images(2, *SHAPE[:2])
    run = getattr(calibrated, method)
    run(images)
    with pytest.raises(InputError, match=r"^Images must be in \[0, 1\]; divide .* to 2"):
        run(255 * images)
    with pytest.raises(InputError, match="repeat a grey channel"):
        run(images[..., :1])


def test_one_image_without_a_batch_axis_is_refused(calibrated, good_images):
    image = good_images(1, *SHAPE[:2])[0]
    for run in (calibrated, calibrated.predict, calibrated.score_on_batch):
        with pytest.raises(InputError, match=r"\(32, 48, 3\); that is one image: add the batch"):
            run(image)
