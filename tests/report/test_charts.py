import re

import numpy as np
import pytest

from kerasad.report.charts import Axis, Chart, draw_latent, draw_losses, draw_synthetic, thin
from kerasad.report.histogram import MAX_BINS, draw_histogram, score_axis

HISTORY = {
    "epoch": [1, 2],
    "loss": [3, 2],
    "kl_loss": [1, 1],
    "decoder_loss": [2, 1],
    "encoder_loss": [2, 1],
    "val_kl_loss": [2, 2],
    "seconds": [1, 1],
}


def test_networks_come_first_and_every_term_has_a_frame():
    charts = draw_losses(HISTORY)
    assert [chart.title for chart in charts] == ["encoder loss", "decoder loss", "kl loss"]
    assert [len(chart.lines) for chart in charts] == [1, 1, 2]


def test_values_of_some_epochs_are_joined_over_the_gaps():
    nan = float("nan")
    history = {"epoch": range(1, 101), "kl_loss": np.linspace(2, 1, 100)}
    history["val_kl_loss"] = [nan if epoch % 10 else 1.5 for epoch in range(1, 101)]
    line = draw_losses(history)[0].lines[1]
    assert len(re.findall(r"[ML][\d.]+ [\d.]+", line["path"])) == 10
    assert len(line["dots"]) == 10
    assert "nan" not in line["path"]


def test_there_is_no_chart_of_what_was_not_logged():
    assert draw_losses({"epoch": [1], "loss": [1.0]}) == []
    assert draw_synthetic({"epoch": [1], "loss": [1.0]}) is None
    assert draw_synthetic({"epoch": [1], "synthetic_iou": [np.nan]}) is None


def test_one_epoch_is_drawn_as_a_point():
    chart = draw_synthetic({"epoch": [1], "synthetic_iou": [0.5]})
    assert len(chart.lines[0]["dots"]) == 1
    assert "0.500 at the end" in chart.lines[0]["label"]


def test_losses_that_fall_by_decades_have_a_logarithmic_axis():
    axis = Axis.around("", [1000.0, 10.0, 1.0])
    assert axis.logarithmic
    assert axis.level(np.sqrt(axis.low * axis.high)) == pytest.approx(0.5)
    assert not Axis.around("", [3.0, 2.0, 1.0]).logarithmic


@pytest.mark.parametrize("values", [[], [2.0], [0.0, 0.0], [-5.0, 1e-9], [1e-30, 1e30]])
def test_every_axis_has_a_width_and_few_ticks_inside(values):
    axis = Axis.around("", values)
    assert axis.high > axis.low
    levels = [level for level, _ in axis.marks()]
    assert levels == sorted(levels)
    assert all(0.0 <= level <= 1.0 for level in levels)


def test_a_histogram_holds_every_score_and_an_outlier_does_not_squeeze_it():
    good, defective = np.linspace(0, 1, 59), np.array([0.9, 1000.0])
    chart = draw_histogram(good, defective, good, 1.0, 0.8)
    assert chart.x.high < 10.0
    assert sum(int(bar["label"].split()[0]) for bar in chart.bars) == 61
    assert "1 of them scores above" in chart.note
    assert chart.band["width"] > 0
    assert 5 <= len({bar["x"] for bar in chart.bars}) <= MAX_BINS


@pytest.mark.parametrize("scores", [[], [2.0], [2.0, 2.0, 2.0]])
def test_scores_without_spread_have_a_histogram(scores):
    chart = draw_histogram(np.array(scores), np.array([]), np.array([2.0]), 2.0, 2.0)
    assert chart.x.high > 2.0 > chart.x.low
    assert chart.band is None


def test_the_axis_of_scores_holds_the_threshold():
    axis = score_axis(np.array([1.0, 2.0]), 5.0)
    assert axis.low < 1.0
    assert axis.high > 5.0


def test_groups_differ_in_colour_or_shape_and_keep_them_in_each_map():
    groups = [f"defect {number}" for number in range(9)]
    points = np.arange(18.0).reshape(9, 2)
    one = draw_latent(points, groups, range(9), "a", groups)
    assert len({(point["colour"], point["shape"]) for point in one.points}) == 9
    other = draw_latent(points[4:], groups[4:], range(5), "b", groups)
    styles = [(point["colour"], point["shape"]) for point in one.points[4:]]
    assert [(point["colour"], point["shape"]) for point in other.points] == styles


def test_a_value_beyond_the_axis_lies_at_its_end():
    chart = Chart("a", Axis("x"), Axis("y"))
    chart.add_line([0.5, 2.0], [0.5, 0.5], "line")
    assert chart.lines[0]["dots"][-1][0] == chart.frame["right"]


def test_thinning_keeps_the_shape_and_both_ends():
    false = np.linspace(0, 1, 50_000) ** 6
    true = np.linspace(0, 1, 50_000)
    thin_false, thin_true = thin(false, true, points=300)
    assert len(thin_false) <= 301
    assert (thin_false[0], thin_true[0], thin_false[-1], thin_true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(thin_true, thin_false) == pytest.approx(np.trapezoid(true, false), abs=1e-3)


def test_short_curves_are_left_alone():
    np.testing.assert_array_equal(thin(np.array([0.0, 0.5, 1.0]))[0], [0.0, 0.5, 1.0])
