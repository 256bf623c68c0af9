"""95 % intervals of metrics."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from kerasad.metrics import AUPRO, ImageAUROC, PixelAUROC
from kerasad.metrics.intervals import BootstrapIntervals, clopper_pearson


@pytest.mark.parametrize(
    ("count", "total", "ends"),
    [(0, 20, (0.0, 0.1684)), (1, 20, (0.0013, 0.2487)), (63, 63, (0.9431, 1.0))],
)
def test_a_share_has_the_interval_of_published_tables(count, total, ends):
    assert clopper_pearson(count, total) == pytest.approx(ends, abs=1e-4)


def test_nothing_observed_has_no_interval():
    assert clopper_pearson(0, 0) is None
    assert BootstrapIntervals().results() == {
        "image_auroc": None,
        "pixel_auroc": None,
        "aupro": None,
    }


def draw(rng, count=24, size=16):
    labels = np.arange(count) % 2 == 1
    maps = rng.normal(size=(count, size, size, 1)).astype("float32")
    masks = np.zeros(maps.shape, "float32")
    masks[labels, 3:8, 4:10] = 1.0
    maps += masks * rng.normal(1.2, 0.8, (count, 1, 1, 1)).astype("float32")
    return labels, maps.max(axis=(1, 2, 3)), masks, maps, np.ones_like(maps)


def measure(labels, scores, masks, maps, weights):
    image, pixel, pro = ImageAUROC(), PixelAUROC(), AUPRO()
    image.update_state(labels, scores)
    for metric in (pixel, pro):
        metric.update_state(masks, maps, sample_weight=weights)
    return [float(metric.result()) for metric in (image, pixel, pro)]


def test_areas_lie_inside_and_the_interval_is_that_of_drawing_images_again():
    rng = np.random.default_rng(0)
    batch = draw(rng)
    bootstrap = BootstrapIntervals()
    for half in (slice(0, 10), slice(10, None)):
        bootstrap.update(*(part[half] for part in batch))
    found = list(bootstrap.results().values())
    for value, (low, high) in zip(measure(*batch), found, strict=True):
        assert low < value < high

    labels, scores, masks, maps, _ = batch

    def redraw():
        rows = rng.integers(0, 24, 24)
        pixels = masks[rows].ravel(), maps[rows].ravel()
        return roc_auc_score(labels[rows], scores[rows]), roc_auc_score(*pixels)

    redrawn = np.quantile([redraw() for _ in range(200)], (0.025, 0.975), axis=0).T
    np.testing.assert_allclose(found[:2], redrawn, atol=0.05)


def test_batches_do_not_matter_and_the_seed_decides():
    batch = draw(np.random.default_rng(1), 12)
    results = []
    for size in (12, 5):
        bootstrap = BootstrapIntervals(seed=3)
        for start in range(0, 12, size):
            bootstrap.update(*(part[start : start + size] for part in batch))
        results.append(np.array(list(bootstrap.results().values())))
    np.testing.assert_allclose(*results, rtol=1e-6)


def test_pixels_without_weight_count_nowhere():
    labels, scores, masks, maps, weights = draw(np.random.default_rng(2))
    whole = BootstrapIntervals()
    whole.update(labels, scores, masks[:, :12], maps[:, :12], weights[:, :12])
    weights[:, 12:] = 0.0
    maps[:, 12:] = 100.0
    padded = BootstrapIntervals()
    padded.update(labels, scores, masks, maps, weights)
    assert padded.results() == whole.results()


def test_good_images_alone_have_no_area():
    labels, scores, masks, maps, weights = draw(np.random.default_rng(3))
    bootstrap = BootstrapIntervals()
    bootstrap.update(labels & False, scores, 0.0 * masks, maps, weights)
    assert set(bootstrap.results().values()) == {None}
