"""What every metric promises, whatever it measures."""

import keras
import numpy as np
import pytest

from kerasad import InputError, metrics

IMAGE_METRICS = [
    metrics.ImageAUROC,
    metrics.ImageF1Max,
    metrics.ImageMetrics,
    lambda **options: metrics.BalancedAccuracy(0.5, **options),
    lambda **options: metrics.DetectionRate(0.5, **options),
]
PIXEL_METRICS = [
    metrics.PixelAUROC,
    metrics.PixelF1Max,
    metrics.OracleIoU,
    metrics.AUPRO,
    metrics.PixelMetrics,
    lambda **options: metrics.PooledIoU(0.5, **options),
    lambda **options: metrics.PerImageIoU(0.5, **options),
]
OF_IMAGES = ("balanced_accuracy", "detection_rate")
HISTOGRAM_METRICS = IMAGE_METRICS[:3] + PIXEL_METRICS[:5]


def name_of(make):
    return type(make()).__name__


every_metric = pytest.mark.parametrize("make", IMAGE_METRICS + PIXEL_METRICS, ids=name_of)
every_pixel_metric = pytest.mark.parametrize("make", PIXEL_METRICS, ids=name_of)


def values(metric):
    result = metric.result()
    parts = result.values() if isinstance(result, dict) else [result]
    return np.array([float(part) for part in parts])


def batch(metric, count=6, seed=0):
    """Labels and scores in the shape that the metric is for."""
    pixels = "image" not in metric.name.split("_")[0] and metric.name not in OF_IMAGES
    shape = (count, 7, 5, 1) if pixels else (count,)
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, shape).astype("float32")
    return labels, (generator.normal(size=shape) + labels).astype("float32")


@every_metric
def test_streamed_equals_at_once(make):
    whole, streamed = make(dtype="float64"), make(dtype="float64")
    labels, scores = batch(whole)
    whole.update_state(labels, scores)
    for rows in (slice(0, 1), slice(1, 4), slice(4, 6)):
        streamed.update_state(labels[rows], scores[rows])
    np.testing.assert_allclose(values(streamed), values(whole), rtol=1e-12)


@every_metric
def test_merged_equals_at_once(make):
    whole, left, right = (make(dtype="float64") for _ in range(3))
    labels, scores = batch(whole)
    whole.update_state(labels, scores)
    left.update_state(labels[:2], scores[:2])
    right.update_state(labels[2:], scores[2:])
    left.merge_state([right])
    np.testing.assert_allclose(values(left), values(whole), rtol=1e-12)


@every_metric
def test_reset_forgets(make):
    metric, fresh = make(), make()
    metric.update_state(*batch(metric, seed=1))
    metric.reset_state()
    labels, scores = batch(metric)
    metric.update_state(labels, scores)
    fresh.update_state(labels, scores)
    np.testing.assert_array_equal(values(metric), values(fresh))


@every_metric
def test_nothing_counted_is_nan(make):
    assert np.isnan(values(make())).all()


@every_metric
def test_without_anything_anomalous_the_result_is_nan(make):
    metric = make()
    labels, scores = batch(metric)
    metric.update_state(np.zeros_like(labels), scores)
    assert np.isnan(values(metric)).all()


@every_metric
def test_config_rebuilds_it(make):
    metric = make(name="some_name")
    config = keras.saving.serialize_keras_object(metric)
    copy = keras.saving.deserialize_keras_object(config)
    assert (type(copy), copy.name) == (type(metric), "some_name")
    assert copy.get_config() == metric.get_config()


@pytest.mark.parametrize("make", HISTOGRAM_METRICS, ids=name_of)
def test_nan_score_makes_the_result_nan(make):
    metric = make()
    labels, scores = batch(metric)
    scores.ravel()[3] = np.nan
    metric.update_state(labels, scores)
    assert np.isnan(values(metric)).all()


@every_pixel_metric
def test_padding_counts_nowhere(make):
    padded, cropped = make(dtype="float64"), make(dtype="float64")
    labels, scores = batch(padded)
    labels[:, 5:] = 1
    scores[:, 5:] = np.nan  # not even this
    scores[:, :, 4:] = 99.0
    valid = np.ones_like(scores)
    valid[:, 5:] = valid[:, :, 4:] = 0
    padded.update_state(labels, scores, sample_weight=valid)
    cropped.update_state(labels[:, :5, :4], scores[:, :5, :4])
    np.testing.assert_allclose(values(padded), values(cropped), rtol=1e-12)


@every_pixel_metric
def test_one_weight_an_image_leaves_images_out(make):
    weighted, chosen = make(), make()
    labels, scores = batch(weighted)
    weighted.update_state(labels, scores, sample_weight=np.array([1, 0, 1, 1, 0, 1]))
    chosen.update_state(labels[[0, 2, 3, 5]], scores[[0, 2, 3, 5]])
    np.testing.assert_allclose(values(weighted), values(chosen), rtol=1e-6)


@every_metric
def test_half_precision_scores_are_counted_in_float32(make):
    half, single = make(), make()
    labels, scores = batch(half)
    half.update_state(labels.astype("float16"), keras.ops.cast(scores, "bfloat16"))
    single.update_state(labels, np.asarray(keras.ops.cast(scores, "bfloat16"), "float32"))
    np.testing.assert_array_equal(values(half), values(single))


@every_metric
def test_labels_of_another_shape_are_refused(make):
    metric = make()
    labels, scores = batch(metric)
    with pytest.raises(InputError, match="`y_true` has shape"):
        metric.update_state(labels[1:], scores)


@pytest.fixture
def two_outputs():
    """A model that hands on a map and its maximum."""
    maps = keras.Input((None, None, 1))
    score = keras.layers.GlobalMaxPooling2D(name="score")(maps)
    same = keras.layers.Activation("linear", name="map")(maps)
    return keras.Model(maps, {"score": score, "map": same})


def test_every_metric_works_in_compile(two_outputs):
    of_images, of_pixels = [make() for make in IMAGE_METRICS], [make() for make in PIXEL_METRICS]
    two_outputs.compile(
        loss={"score": "mse", "map": "mse"},
        metrics={"score": of_images},
        weighted_metrics={"map": of_pixels},
    )
    masks, maps = batch(of_pixels[0])
    masks[:3] = 0
    labels, scores = masks.max(axis=(1, 2)), maps.max(axis=(1, 2))
    valid = np.ones_like(masks)
    valid[:, 5:] = 0
    # The loss wants one weight an image for the other output.
    weights = {"score": np.ones(6), "map": valid}
    targets = {"score": labels, "map": masks}
    two_outputs.evaluate(maps, targets, batch_size=4, sample_weight=weights, verbose=0)
    for metric in (*of_images, *of_pixels):
        alone = type(metric).from_config(metric.get_config())
        if metric in of_images:
            alone.update_state(labels, scores)
        else:
            alone.update_state(masks, maps, sample_weight=valid)
        np.testing.assert_allclose(values(metric), values(alone), rtol=1e-6)


@pytest.mark.slow
def test_metrics_without_regions_work_under_xla():
    metric, alone = metrics.PixelAUROC(), metrics.PixelAUROC()
    model = keras.Sequential([keras.Input((7, 5, 1)), keras.layers.Activation("linear")])
    model.compile(loss="mse", metrics=[metric], jit_compile=True)
    masks, maps = batch(metric)
    model.evaluate(maps, masks, batch_size=3, verbose=0)
    alone.update_state(masks, maps)
    np.testing.assert_allclose(values(metric), values(alone), rtol=1e-6)
