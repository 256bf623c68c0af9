import pytest

from kerasad.report.collect import collect
from kerasad.report.curves import draw_curves, measure_curves


@pytest.fixture
def curves(detector, category):
    collected = collect(detector, category.test, category.index.test)
    return measure_curves(collected, detector.threshold, detector.pixel_threshold)


def test_the_operating_points_are_what_the_thresholds_do(curves):
    # By hand: 2 of 3 defective images found, no false alarm; of two masks, one is found whole.
    assert curves["roc"].point == pytest.approx((0.0, 2 / 3))
    assert curves["pr"].point == pytest.approx((2 / 3, 1.0))
    assert curves["pixel_roc"].point == pytest.approx((0.0, 0.5))
    assert curves["pixel_pr"].point == pytest.approx((0.5, 1.0))
    assert curves["pro"].point == pytest.approx((0.0, 0.5))


def test_runs_share_a_frame_with_an_area_each(curves):
    runs = {"first": curves, "second": curves}
    metrics = {"first": {"image_auroc": 0.5}, "second": {}}
    charts = dict(draw_curves(runs, metrics))
    assert list(charts) == ["roc", "pr", "pixel_roc", "pixel_pr", "pro"]
    labels = [line["label"] for line in charts["roc"].lines]
    assert labels == ["chance", "first, area 0.500", "second"]
    assert [mark["name"] for mark in charts["roc"].marks] == ["roc-0", "roc-1"]


def test_there_is_no_curve_without_both_classes(detector, make_category):
    category = make_category([0.5, 0.55])
    collected = collect(detector, category.test, category.index.test)
    assert measure_curves(collected, 3.0, 2.0) == {}
    assert draw_curves({"run": {}}, {"run": {}}) == []
