import base64
import io

import numpy as np
import pytest
from PIL import Image

from kerasad.report import figures


def test_networks_come_first_and_every_term_has_a_frame():
    history = {
        "epoch": [1, 2],
        "loss": [3, 2],
        "kl_loss": [1, 1],
        "decoder_loss": [2, 1],
        "encoder_loss": [2, 1],
        "val_kl_loss": [2, 2],
        "seconds": [1, 1],
    }
    axes = figures.plot_losses(history).axes
    assert [each.get_title() for each in axes] == ["encoder loss", "decoder loss", "kl loss"]
    assert [len(each.lines) for each in axes] == [1, 1, 2]


def test_there_is_no_figure_of_what_was_not_logged():
    assert figures.plot_losses({"epoch": [1], "loss": [1.0]}) is None
    assert figures.plot_synthetic({"epoch": [1], "loss": [1.0]}) is None


def test_one_epoch_is_drawn_as_a_point():
    axes = figures.plot_synthetic({"epoch": [1], "synthetic_iou": [0.5]}).axes[0]
    assert axes.lines[0].get_marker() == "o"


def test_the_threshold_is_drawn_where_it_is():
    axes = figures.plot_scores(np.array([1.0, 2.0]), np.array([]), 2.5, 2.5).axes[0]
    assert axes.lines[0].get_xdata()[0] == 2.5


def test_a_histogram_has_as_many_bins_as_the_images_can_fill():
    scores = np.random.default_rng(0).normal(size=100_000)
    counts = [len(figures.histogram_edges(scores[:n], 1.0)) - 1 for n in (1, 60, 2000, 100_000)]
    assert counts[0] == figures.MIN_BINS
    assert counts[1] < 20
    assert counts[1] < counts[2] <= counts[3] == figures.MAX_BINS


def test_a_histogram_holds_every_score_and_the_threshold_and_an_outlier_adds_few_bins():
    scores = np.append(np.linspace(0, 1, 59), 1000.0)
    edges = figures.histogram_edges(scores, -3.0)
    assert edges[0] == -3.0
    assert edges[-1] > 1000.0
    assert np.histogram(scores, edges)[0].sum() == 60
    assert len(edges) - 1 == 15  # 2 * sqrt(60), rounded down


@pytest.mark.parametrize("scores", [[], [2.0], [2.0, 2.0, 2.0]])
def test_scores_without_spread_have_a_histogram(scores):
    assert np.all(np.diff(figures.histogram_edges(np.array(scores), 2.0)) > 0)


def test_groups_differ_in_marker_and_colour():
    groups = [f"defect {number}" for number in range(6)]
    figure = figures.plot_latent(np.arange(12.0).reshape(6, 2), groups, "Codes")
    assert len({label.get_text() for label in figure.axes[0].get_legend().get_texts()}) == 6
    assert len(set(figures.MARKERS)) == len(figures.MARKERS)


@pytest.mark.parametrize("area", [0.75, None])
def test_an_area_that_is_undefined_does_not_stop_a_curve(area):
    line = np.array([0.0, 1.0])
    assert figures.plot_roc({"image": (line, line, area)}).axes
    assert figures.plot_pro(line, line, area, 0.3).axes


def test_an_image_survives_its_address():
    image = np.random.default_rng(0).integers(0, 255, (3, 5, 3)).astype("uint8")
    head, data = figures.image_uri(image).split(",")
    assert head == "data:image/png;base64"
    np.testing.assert_array_equal(Image.open(io.BytesIO(base64.b64decode(data))), image)


def test_thinning_keeps_the_shape_and_both_ends():
    false = np.linspace(0, 1, 50_000) ** 6
    true = np.linspace(0, 1, 50_000)
    thin_false, thin_true = figures.thin(false, true, points=300)
    assert len(thin_false) <= 301
    assert (thin_false[0], thin_true[0], thin_false[-1], thin_true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(thin_true, thin_false) == pytest.approx(np.trapezoid(true, false), abs=1e-3)


def test_short_curves_are_left_alone():
    np.testing.assert_array_equal(figures.thin(np.array([0.0, 0.5, 1.0]))[0], [0.0, 0.5, 1.0])
