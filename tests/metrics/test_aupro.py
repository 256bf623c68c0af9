import itertools

import numpy as np
import pytest

from kerasad import InputError
from kerasad.metrics import AUPRO
from kerasad.metrics.inputs import compute_region_shares

# Two regions, A (one pixel) and B (two pixels), and six normal pixels scoring 1 to 6.
MASK = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1]]).reshape(1, 3, 3, 1)


def grid(a, b):
    scores = [[a, 1.0, 2.0], [3.0, 4.0, b[0]], [5.0, 6.0, b[1]]]
    return np.array(scores, "float32").reshape(1, 3, 3, 1)


def aupro(mask, anomaly_map, fpr_limit=0.3, valid=None):
    metric = AUPRO(fpr_limit=fpr_limit, dtype="float64")
    metric.update_state(mask, anomaly_map, sample_weight=valid)
    return float(metric.result())


@pytest.mark.parametrize(
    ("a", "fpr_limit", "expected"),
    [
        # From above: half of B at FPR 0; then 6, 5; at FPR 2/6 all of A: PRO 3/4.
        (4.5, 0.3, 0.25),
        (4.5, 0.5, (2 / 6 * 0.25 + 1 / 6 * 0.75) / 0.5),
        # A ties with 5: a line from (1/6, 1/4) to (2/6, 3/4), cut half way, at PRO 1/2.
        (5.0, 0.25, (1 / 6 * 0.25 + 1 / 12 * (0.25 + 0.5) / 2) / 0.25),
    ],
)
def test_area_by_hand(a, fpr_limit, expected):
    assert aupro(MASK, grid(a, (7.0, 2.5)), fpr_limit) == pytest.approx(expected)


def flood(mask, start):
    """All pixels of the region of `start`, corners included."""
    region, border = {start}, [start]
    while border:
        row, column = border.pop()
        for i in (row - 1, row, row + 1):
            for j in (column - 1, column, column + 1):
                inside = 0 <= i < mask.shape[0] and 0 <= j < mask.shape[1]
                if inside and mask[i, j] and (i, j) not in region:
                    region.add((i, j))
                    border.append((i, j))
    return region


def naive_aupro(masks, maps, fpr_limit, valid=None):
    """Every score as a threshold, every region by flooding, the area piece by piece."""
    masks, maps = masks[..., 0].astype(bool), maps[..., 0]
    valid = np.ones(masks.shape, bool) if valid is None else valid[..., 0] > 0
    masks = masks & valid
    regions = []
    for image, mask in enumerate(masks):
        left = {(int(i), int(j)) for i, j in np.argwhere(mask)}
        while left:
            region = flood(mask, min(left))
            left -= region
            regions.append([maps[image][pixel] for pixel in region])
    normal = maps[~masks & valid]
    points = [(0.0, 0.0)]
    for threshold in sorted(set(maps[valid].tolist()), reverse=True):
        overlap = np.mean([np.mean(np.array(region) >= threshold) for region in regions])
        points.append((np.mean(normal >= threshold), overlap))
    area = 0.0
    for (left, low), (right, high) in itertools.pairwise(points):
        if right > left and left < fpr_limit:
            end = min(right, fpr_limit)
            cut = low + (high - low) * (end - left) / (right - left)
            area += (end - left) * (low + cut) / 2
    return area / fpr_limit


def blobs(count, height, width, seed):
    """Masks with rectangles that may touch, and maps that answer to them with noise and ties."""
    generator = np.random.default_rng(seed)
    masks = np.zeros((count, height, width, 1))
    for mask in masks[: count - 1]:
        for _ in range(4):
            top, left = generator.integers(0, height - 4), generator.integers(0, width - 4)
            mask[top : top + generator.integers(1, 5), left : left + generator.integers(1, 5)] = 1
    maps = np.round(generator.normal(size=masks.shape) + 1.2 * masks, 1).astype("float32")
    return masks, maps


@pytest.mark.parametrize("fpr_limit", [0.05, 0.3, 1.0])
def test_area_agrees_with_a_loop_over_thresholds_and_regions(fpr_limit):
    masks, maps = blobs(4, 18, 25, seed=0)
    expected = naive_aupro(masks, maps, fpr_limit)
    assert aupro(masks, maps, fpr_limit) == pytest.approx(expected, abs=1e-12)


def test_padding_is_in_no_region_and_joins_none():
    masks, maps = blobs(3, 14, 17, seed=1)
    masks[:, 5:9, 3:15] = 1
    valid = np.ones_like(masks)
    valid[:, :, 8:10] = 0  # cuts the bar in two
    valid[:, 12:] = 0
    expected = naive_aupro(masks, maps, 0.3, valid)
    assert aupro(masks, maps, 0.3, valid) == pytest.approx(expected, abs=1e-12)


def test_narrow_scores_keep_the_area():
    masks, maps = blobs(3, 40, 50, seed=2)
    maps = (1000.0 + 0.5 / (1.0 + np.exp(-maps))).astype("float32")
    assert aupro(masks, maps) == pytest.approx(naive_aupro(masks, maps, 0.3), abs=1e-12)


def test_area_agrees_with_adeval(monkeypatch):
    adeval = pytest.importorskip("adeval")
    # It still calls `numpy.trapz`, which NumPy 2.4 removed under that name.
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)
    generator = np.random.default_rng(4)
    masks, _ = blobs(6, 64, 48, seed=4)
    maps = (generator.normal(size=masks.shape) + 1.5 * masks).astype("float32")
    _, _, expected = adeval.auroc_aupr_aupro(
        maps[..., 0], masks[..., 0].astype("uint8"), nstrips=5000
    )
    assert aupro(masks, maps) == pytest.approx(expected, abs=1e-3)


def test_pixels_that_touch_at_a_corner_are_one_region():
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 1]], bool).reshape(1, 3, 4)
    shares, count = compute_region_shares(mask, np.ones(mask.shape))
    assert count == 3
    np.testing.assert_array_equal(shares[0], [[0.5, 0, 0, 1], [0, 0.5, 0, 0], [0, 0, 0, 1]])


def test_regions_of_neighbouring_images_stay_apart():
    mask = np.ones((3, 2, 2, 1), bool)
    shares, count = compute_region_shares(mask, np.ones(mask.shape))
    assert count == 3
    np.testing.assert_array_equal(shares, np.full(mask.shape, 0.25))


def test_small_region_weighs_as_much_as_a_large_one():
    mask = np.zeros((1, 10, 10, 1))
    mask[0, :5] = 1  # fifty pixels, missed
    mask[0, 9, 9] = 1  # one pixel, found
    assert aupro(mask, (np.arange(100.0).reshape(mask.shape) == 99).astype("float32"), 1.0) == (
        pytest.approx(0.75)  # from (0, 1/2) straight to (1, 1)
    )


@pytest.mark.parametrize("fpr_limit", [0.0, 1.1])
def test_impossible_limit_is_refused(fpr_limit):
    with pytest.raises(InputError, match="`fpr_limit` must be above 0 and at most 1"):
        AUPRO(fpr_limit=fpr_limit)
